"""How many events arrived at each pixel, and when the last ones did: written with the catalogue of attributes.

Absorb counts in memory. A process that dies loses a few seconds of the counts, so they say whether something arrives,
and are no bill.
"""

from collections.abc import Iterable, Mapping

from core import clock
from core.database import bare_cursor
from profiles.models import PixelActivity

SAVE = """
INSERT INTO pixel_activity AS kept (pixel_id, customer_id, events, last_at)
SELECT pixel, %(customer)s, events, %(now)s FROM unnest(%(pixels)s::int[], %(events)s::bigint[]) AS t (pixel, events)
ON CONFLICT (pixel_id) DO UPDATE SET events = kept.events + excluded.events,
    last_at = greatest(kept.last_at, excluded.last_at)
"""


def save(customer: int, seen: Mapping[int, int]) -> None:
    """Add the events of each pixel, in one statement of the caller's transaction."""
    if not seen:
        return
    pixels = sorted(seen)
    events = [seen[pixel] for pixel in pixels]
    with bare_cursor() as cursor:
        cursor.execute(SAVE, {"customer": customer, "pixels": pixels, "events": events, "now": clock.now()})


def of_pixels(pixels: Iterable[int]) -> dict[int, PixelActivity]:
    """Returns what is known of these pixels, by number: nothing for those at which nothing arrived yet."""
    return PixelActivity.objects.in_bulk(list(pixels))
