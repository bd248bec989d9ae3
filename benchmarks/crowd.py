"""People whose membership ends by time alone: all of them at one moment, which is chosen late."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from benchmarks.programs import wait_until
from benchmarks.quiet import is_quiet
from benchmarks.shop import Shop, open_accounts, open_people
from benchmarks.site import Site
from core import clock

SEED = 70
WINDOW = timedelta(days=1)
BUILD_SECONDS = 900.0

TURN_BACK = """
UPDATE profile SET attributes = jsonb_build_object('seen', %(seen)s::float8)
WHERE customer_id = %(customer)s AND attributes ? 'seen'
"""
LOOK_AT = "UPDATE membership SET look_again_at = %(at)s WHERE audience_id = %(audience)s"
LEFT = """
SELECT count(*) FROM membership WHERE bucket = ANY(%(buckets)s::smallint[]) AND look_again_at <= %(now)s
"""
STILL_IN = "SELECT count(*) FROM membership WHERE audience_id = %s AND member"


@dataclass(frozen=True, slots=True)
class Crowd:
    """So many `people` of a shop. `recent`: the audience that they leave.

    `activation`: of the audience that they stay in; None where the shop's platform does not know them.
    """

    shop: Shop
    people: int
    recent: int
    activation: int | None = None

    def fall_due(self, site: Site, at: datetime) -> None:
        """Have all memberships in `recent` end at a moment to come. The hub must be quiet."""
        values = {"customer": self.shop.customer, "audience": self.recent, "at": at, "seen": (at - WINDOW).timestamp()}
        site.database.execute(TURN_BACK, values)
        site.database.execute(LOOK_AT, values)
        site.database.execute("VACUUM ANALYZE profile, membership")

    def still_in(self, site: Site) -> int:
        """How many have not left."""
        (found,) = site.database.execute(STILL_IN, [self.recent]).fetchone() or (0,)
        return int(found)


def gather(site: Site, shop: Shop, people: int) -> Crowd:
    """People who are in one audience as long as they were seen within a day; they were seen just now."""
    open_people(site.database_url, shop, SEED, people, _seen_now(shop))
    found = Crowd(shop, people, _audience(shop, "recent", "withinLast", "P1D"))
    wait_until("the crowd is known", lambda: is_quiet(shop.activation), BUILD_SECONDS)
    return found


def gather_on_platform(site: Site, shop: Shop, people: int) -> Crowd:
    """The same, and the shop's platform holds all of them in two segments."""
    from activation.services import activate
    from audiences.models import Audience
    from integrations.models import Platform

    open_accounts(site.database_url, shop, SEED, people, _seen_now(shop))
    audiences = [_audience(shop, "recent", "withinLast", "P1D"), _audience(shop, "everybody", "notNull", None)]
    platform = Platform.objects.get(pl=shop.platform)
    _, lasting = [activate(Audience.objects.get(id=audience), platform, {}) for audience in audiences]
    wait_until("the crowd is on the platform", lambda: is_quiet(lasting.id), BUILD_SECONDS)
    return Crowd(shop, people, audiences[0], lasting.id)


def _seen_now(shop: Shop) -> str:
    """Enables the attribute; returns the attributes of everybody."""
    from profiles.models import Attribute

    Attribute.objects.create(customer_id=shop.customer, path="seen", type="time", enabled=True)
    return json.dumps({"seen": clock.now().timestamp()})


def _audience(shop: Shop, name: str, operator: str, value: Any) -> int:
    from audiences.services import create_audience
    from core.models import Customer

    rule = {"combinator": "and", "rules": [{"field": "attribute.seen", "operator": operator, "value": value}]}
    return create_audience(Customer.objects.get(m=shop.customer), name, rule).id
