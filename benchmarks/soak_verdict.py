"""What was lost, doubled or wrong after a soak: by what was sent, what profiles count, and what platforms hold."""

from array import array
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from benchmarks.crowd import SEED as CROWD_SEED
from benchmarks.crowd import Crowd
from benchmarks.open_loop import Stream
from benchmarks.receipts import receipts
from benchmarks.shop import THRESHOLD
from benchmarks.site import Offered, Site
from benchmarks.soak_result import Difference, Tenant, TenantFigures
from benchmarks.users import platform_user_id

# not those of the browsers without a cookie that found out whether the edge is ready
COUNTED = """
SELECT coalesce(sum((activity -> %s ->> 'total')::bigint), 0)::bigint FROM profile WHERE customer_id = %s AND confirmed
"""
DEAD = "SELECT platform_user_id FROM dead_letter WHERE platform_id = %s"
OWN_SEGMENT, RECENT, EVERYBODY = "rule 1", "recent", "everybody"


def tenant_figures(
    site: Site, tenants: Mapping[str, Tenant], crowd: Crowd, offered: Offered, arrived: Mapping[str, int]
) -> dict[str, Any]:
    """`tenants` and `receipts` of `SoakFigures`. `arrived`: rows that each platform had been sent before."""
    found = {}
    for (name, tenant), accepted in zip(tenants.items(), offered.accepted, strict=True):
        wanted: dict[str, Collection[str]] = {}
        sure, unsure = members(tenant.stream, accepted)
        wanted[OWN_SEGMENT] = sure
        if tenant.shop == crowd.shop:
            wanted |= {RECENT: (), EVERYBODY: {platform_user_id(CROWD_SEED, n) for n in range(crowd.people)}}
        account = site.sandbox.held("generic", tenant.shop.account)
        held = {segment["title"]: set(segment["members"]) for segment in account["segments"].values()}
        dead = {user for (user,) in site.database.execute(DEAD, [tenant.shop.platform])}
        (counted,) = site.database.execute(COUNTED, [str(tenant.shop.pixel), tenant.shop.customer]).fetchone() or (0,)
        found[name] = TenantFigures(
            sent=len(accepted),
            accepted=sum(1 for at in accepted if at),
            counted=counted,
            difference=compare(wanted, held, unsure | dead),
            repeated=int(account["repeats"]),
            resent=crowd.people if tenant.shop == crowd.shop else 0,
            dead=len(dead),
        )
    (first, tenant), *_ = tenants.items()
    rows = site.sandbox.received(tenant.shop.account, arrived[first])
    return {"tenants": found, "receipts": receipts(tenant.stream, offered.accepted[0], rows)}


def members(stream: Stream, accepted: "array[float] | Sequence[float]") -> tuple[set[str], set[str]]:
    """The platform's ids of those whose last event made them members; and of those whose last event got no 200."""
    last: dict[int, tuple[float, bool]] = {}
    for number, at in enumerate(accepted):
        user, amount = stream.event(number)
        last[user] = (at, amount > THRESHOLD)
    sure = {platform_user_id(stream.seed, user) for user, (at, member) in last.items() if at and member}
    return sure, {platform_user_id(stream.seed, user) for user, (at, _) in last.items() if not at}


def compare(wanted: Mapping[str, Collection[str]], held: Mapping[str, set[str]], unsure: Collection[str]) -> Difference:
    """How many ids the segments lack and how many they hold too much, without those of which either may be."""
    missing = sum(len(set(ids) - held.get(title, set()) - set(unsure)) for title, ids in wanted.items())
    wrong = sum(len(ids - set(wanted.get(title, ())) - set(unsure)) for title, ids in held.items())
    return Difference(missing, wrong)
