"""One shop: a pixel, a platform, ten audiences of which one is activated; and its users, in bulk."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.users import platform_user_id, user_ids
from core import buckets

CUSTOMER = 1
ACCOUNT = "bench"
THRESHOLD = 100
NUMBERS = ("amount", "items", "visits")
STRINGS = ("currency", "category", "page")

STAGE = """
CREATE UNLOGGED TABLE IF NOT EXISTS bench_user (
    bucket smallint, user_id uuid, id_bucket smallint, platform_user_id text)
"""
PROFILES = """
INSERT INTO profile (bucket, customer_id, user_id, attributes, dimensions, times, activity, ids, confirmed,
                     created_at, updated_at)
SELECT bucket, %(customer)s, user_id, %(attributes)s::text::jsonb, '{}', '{}', '{}', '[]', true, now(), now()
FROM bench_user ORDER BY bucket, user_id
"""
IDENTITIES = """
INSERT INTO identity (bucket, customer_id, kind, value, user_id, epoch, since)
SELECT id_bucket, %(customer)s, 'platform:' || %(platform)s::text, platform_user_id, user_id, 1, now()
FROM bench_user ORDER BY id_bucket, platform_user_id
"""
MAPPINGS = """
INSERT INTO user_mapping (bucket, user_id, platform_id, platform_user_id, customer_id, epoch, extra, synced_at)
SELECT bucket, user_id, %(platform)s, platform_user_id, %(customer)s, 1, '{}', now() FROM bench_user
ORDER BY bucket, user_id
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """A customer's shop. `account`: of its platform; `audience`: the one that is activated there."""

    pixel: int
    platform: int
    secret: str
    audience: int
    activation: int
    customer: int = CUSTOMER
    account: str = ACCOUNT

    @property
    def target(self) -> str:
        """The address of its pixel at the edge, to which parameters can be appended."""
        return f"/dp?m={self.customer}&id={self.pixel}"


def open_shop(segments_url: str, number: int = CUSTOMER, account: str = ACCOUNT) -> Shop:
    """Furnish the hub; ready when its segment is created, which the caller sees to."""
    from activation.services import activate
    from core.models import Customer
    from integrations.models import Platform
    from profiles.models import Attribute, Pixel

    customer = Customer.objects.create(m=number, name=f"Benchmark shop {number}")
    pixel = Pixel.objects.create(customer=customer, name="checkout")
    for type_, paths in (("number", NUMBERS), ("string", STRINGS)):
        for path in paths:
            Attribute.objects.create(customer=customer, path=path, type=type_, enabled=True)
    platform = Platform.objects.create(
        customer=customer,
        name=account,
        connector="http",
        settings=_settings(segments_url),
        credentials=_login(account),
    )
    first, *_ = _open_audiences(number, _rules(pixel.id))
    activation = activate(first, platform, {})
    return Shop(pixel.id, platform.pl, platform.sync_secrets[0], first.id, activation.id, number, account)


def open_idle_audiences(shop: Shop, count: int) -> None:
    """Audiences whose rules are asked as those of the first ten are, and say no, so that there is nothing to build.

    No two of them are alike.
    """
    named = []
    for number in range(count):
        kinds = _conditions(shop.pixel, number // 9 + 1)[1:]
        named.append((f"idle {number}", _all(kinds[number % len(kinds)])))
    _open_audiences(shop.customer, named)


def open_people(database_url: str, shop: Shop, seed: int, count: int, attributes: str = "{}") -> None:
    """That many users, who have done nothing yet. `attributes`: of each, as JSON."""
    _fill(database_url, shop, (seed, count), attributes, PROFILES)


def open_accounts(database_url: str, shop: Shop, seed: int, count: int, attributes: str = "{}") -> None:
    """That many users, known and mapped on the platform, who have done nothing yet. `attributes`: of each, as JSON."""
    _fill(database_url, shop, (seed, count), attributes, PROFILES, IDENTITIES, MAPPINGS)


def _open_audiences(customer: int, named: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Of a customer whose users are in none of them: there is nothing to build."""
    from audiences.models import Audience

    live = Audience.Status.LIVE
    return Audience.objects.bulk_create(
        Audience(customer_id=customer, name=name, rule=rule, status=live) for name, rule in named
    )


def _fill(database_url: str, shop: Shop, users: tuple[int, int], attributes: str, *statements: str) -> None:
    names = {"customer": shop.customer, "platform": shop.platform, "attributes": attributes}
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(STAGE)
        cursor.execute("TRUNCATE bench_user")
        with cursor.copy("COPY bench_user FROM STDIN") as copy:
            for lines in _lines(*users):
                copy.write(lines)
        for statement in statements:
            cursor.execute(statement, names)
    settle_down(database_url)


def settle_down(database_url: str) -> None:
    """Every run starts after a checkpoint, with statistics and without a vacuum that is overdue."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE profile, identity, user_mapping, inbox, delivery, membership")
        connection.execute("CHECKPOINT")


def _lines(seed: int, count: int) -> Iterator[str]:
    for number, user in enumerate(user_ids(seed, count)):
        known_as = platform_user_id(seed, number)
        yield f"{buckets.of_user(user)}\t{user}\t{buckets.of_value(known_as)}\t{known_as}\n"


def _settings(url: str) -> dict[str, Any]:
    row = [{"segment": "{{segment_id}}", "userid": "{{userid}}"}]
    return {
        "strategy": "micro_batch",
        "create": {"method": "POST", "url": f"{url}?title={{{{name}}}}", "segment_id": "segment_id"},
        "add": {"method": "POST", "url": url, "body": row},
        "remove": {"method": "DELETE", "url": url, "body": row},
    }


def _login(account: str) -> dict[str, str]:
    return {"type": "basic", "username": account, "password": f"{account}-secret"}


def _rules(pixel: int) -> list[tuple[str, dict[str, Any]]]:
    """The first is entered by every buyer above the threshold; the other nine are asked and say no."""
    return [(f"rule {number}", _all(rules)) for number, rules in enumerate(_conditions(pixel), 1)]


def _conditions(pixel: int, variant: int = 0) -> list[list[tuple[str, str, Any]]]:
    """Of ten rules; those of another variant compare with other constants."""
    return [
        [("attribute.amount", ">", THRESHOLD)],
        [("attribute.amount", ">", 1_000_000 + variant)],
        [("attribute.amount", "between", [10 + variant, 20 + variant]), ("attribute.currency", "=", "EUR")],
        [("attribute.items", ">=", 50 + variant)],
        [("attribute.currency", "in", ["USD", "CHF", f"X{variant:02d}"])],
        [("attribute.category", "beginsWith", f"garden{variant or ''}")],
        [("attribute.page", "contains", f"newsletter{variant or ''}")],
        [(f"pixel.{pixel}.count", ">=", 1_000 + variant)],
        [("attribute.visits", ">", 3 + variant), ("attribute.category", "notNull", None)],
        [("attribute.amount", "<", 5 - variant / 100), ("attribute.items", "=", 1 + variant)],
    ]


def _all(rules: list[tuple[str, str, Any]]) -> dict[str, Any]:
    names = ("field", "operator", "value")
    return {"combinator": "and", "rules": [dict(zip(names, rule, strict=True)) for rule in rules]}
