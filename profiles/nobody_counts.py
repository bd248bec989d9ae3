"""How often which ids were left out of events because they name nobody: written with the catalogue of attributes."""

from collections import defaultdict
from collections.abc import Mapping

from django.db.models import QuerySet

from core import clock
from core.ids.left_out import LeftOut
from profiles.attribute_sampling import EXAMPLES
from profiles.models import NobodyCount


def save(customer: int, noted: Mapping[tuple[int, LeftOut], int]) -> None:
    """Add what was noted, by pixel and id. The caller holds the lock of the customer's statistics."""
    now = clock.now()
    groups: dict[tuple[int, str, str], dict[str, int]] = defaultdict(dict)
    for (pixel, (kind, why, example)), times in noted.items():
        groups[pixel, kind, why][example] = times
    for (pixel, kind, why), examples in sorted(groups.items()):
        row, _ = NobodyCount.objects.get_or_create(
            customer_id=customer, pixel_id=pixel, kind=kind, why=why, defaults={"first_at": now, "last_at": now}
        )
        row.times += sum(examples.values())
        row.examples = list(dict.fromkeys([*row.examples, *filter(None, examples)]))[:EXAMPLES]
        row.last_at = now
        row.save(force_update=True)


def of_customer(customer: int) -> QuerySet[NobodyCount]:
    return NobodyCount.objects.filter(customer_id=customer).order_by("-times", "pixel_id", "kind", "why")
