"""One customer seen from inside: requests are appended as the edge would, and absorbed in this process."""

import json
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection

from activation import services as activations
from activation.models import Activation, Delivery
from audiences import services as audiences
from audiences.attributes import set_attribute
from audiences.models import Audience, Membership
from core import buckets
from core.inbox import InboxKind
from core.messages import Confirm, Event, Id, Sync
from core.models import BadRow, Customer, Inbox
from integrations.models import Platform
from pipeline import counts
from pipeline.absorb.absorber import Absorber
from profiles.models import Attribute, Identity, Pixel, Profile
from usersync.models import UserMapping

DAY = 86_400_000
MOST_BATCHES = 500  # more than any test needs: rows that go in circles end it

APPEND = "INSERT INTO inbox (bucket, kind, query, body, received_at) VALUES (%s, %s, %s, %s, %s) RETURNING id"

Rule = dict[str, Any]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rule(field: str, operator: str, value: Any, **more: Any) -> Rule:
    """A rule of one condition."""
    return {"combinator": "and", "rules": [{"field": field, "operator": operator, "value": value, **more}]}


class Shop:
    """`pixel` knows its users by `UserId`. `touched` collects, for each commit, the
    (platform, bucket)s in which something is to be delivered."""

    def __init__(self) -> None:
        self.customer = Customer.objects.create(m=1, name="Shop")
        self.pixel = Pixel.objects.create(customer=self.customer, name="front page", user_key="UserId")
        self.touched: list[set[tuple[int, int]]] = []
        self.absorber = Absorber(self.touched.append)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────

    def append(
        self, bucket: int, kind: int, query: bytes, body: bytes | None = None, at: datetime | None = None
    ) -> int:
        """Append a row to the inbox as it is; returns its id."""
        with connection.cursor() as cursor:
            cursor.execute(APPEND, [bucket, kind, query, body, at or datetime.now(UTC)])
            (row,) = cursor.fetchone()
        return int(row)

    def event(
        self,
        user: UUID | None = None,
        data: dict[str, Any] | bytes | None = None,
        *,
        ids: Sequence[Id] = (),
        at: int | None = None,
        received: int | None = None,
        dimensions: dict[str, Any] | None = None,
        confirmed: bool = True,
    ) -> int:
        """What `/dp` stores: of a user with our id, or else of who the first of `ids` names. Times in ms."""
        message = Event(
            self.customer.m,
            self.pixel.id,
            at or now_ms(),
            None if user is None else str(user),
            user is not None and confirmed,
            list(ids),
            dimensions or {},
        )
        bucket = buckets.of_user(user) if user is not None else buckets.of_value(ids[0][1])
        body = data if isinstance(data, bytes | None) else json.dumps(data).encode()
        moment = None if received is None else datetime.fromtimestamp(received / 1000, UTC)
        return self.append(bucket, InboxKind.EVENT, msgspec.json.encode(message), body, moment)

    def confirm(self, user: UUID, ids: Sequence[Id] = ()) -> None:
        message = Confirm(self.customer.m, str(user), now_ms(), list(ids))
        self.append(buckets.of_user(user), InboxKind.CONFIRM, msgspec.json.encode(message))

    def sync(self, user: UUID, platform: Platform, platform_user_id: str, **more: Any) -> None:
        """What `/uid` stores; an empty id clears."""
        message = Sync(self.customer.m, platform.pl, str(user), platform_user_id, now_ms(), **more)
        bucket = buckets.of_value(platform_user_id) if platform_user_id else buckets.of_user(user)
        self.append(bucket, InboxKind.SYNC, msgspec.json.encode(message))

    def absorb(self) -> int:
        """Absorb until nothing waits; returns the number of rows taken."""
        rows = 0
        for _ in range(MOST_BATCHES):
            done = self.absorber.absorb()
            if not done:
                return rows
            rows += done
        raise AssertionError(f"rows still wait: {list(Inbox.objects.values_list('kind', 'query')[:5])}")

    def let_pass(self, days: int) -> None:
        """As if that much time had gone by for every match."""
        with connection.cursor() as cursor:
            for table in ("identity", "user_mapping"):
                cursor.execute(f"UPDATE {table} SET expires_at = expires_at - %s::interval", [f"{days} days"])
        self.absorber.timed.look_everywhere()

    # ── what is configured ───────────────────────────────────────────────────────────────────────────

    def attribute(self, path: str, type_: str) -> Attribute:
        attribute, _ = Attribute.objects.get_or_create(customer=self.customer, path=path)  # it may have been seen
        set_attribute(attribute, enabled=True, type_=type_)
        return attribute

    def audience(self, name: str, rule: Rule) -> Audience:
        """Made, and built."""
        audience = audiences.create_audience(self.customer, name, rule)
        self.absorb()
        return audience

    def platform(self, name: str = "ads", **more: Any) -> Platform:
        """One to which segment ids are given: nothing here sends anything."""
        call = {"url": "http://ads.invalid/", "body": [{"segment": "{{segment_id}}", "userid": "{{userid}}"}]}
        settings = {"add": {"method": "POST", **call}, "remove": {"method": "DELETE", **call}}
        given = {"connector": "http", "settings": settings, **more}
        return Platform.objects.create(customer=self.customer, name=name, **given)

    def activation(self, audience: Audience, platform: Platform, **settings: Any) -> Activation:
        """Made, and filled in."""
        activation = activations.activate(audience, platform, settings or {"segment_id": audience.id})
        self.absorb()
        return activation

    # ── what has come of it ──────────────────────────────────────────────────────────────────────────

    def profile(self, user: UUID) -> Profile:
        return Profile.objects.get(bucket=buckets.of_user(user), customer_id=self.customer.m, user_id=user)

    def named(self, kind: str, value: str) -> UUID | None:
        """Whom an id names."""
        return self.identity(kind, value).user_id

    def identity(self, kind: str, value: str) -> Identity:
        return Identity.objects.get(customer_id=self.customer.m, kind=kind, value=value)

    def total(self, user: UUID) -> int:
        """How many events of the pixel the user's profile counts."""
        return int(self.profile(user).activity[str(self.pixel.id)]["total"])

    def members(self, audience: Audience) -> set[UUID]:
        rows = Membership.objects.filter(audience_id=audience.id, member=True)
        return set(rows.values_list("user_id", flat=True))

    def mappings(self, user: UUID) -> set[tuple[int, str]]:
        rows = UserMapping.objects.filter(user_id=user, customer_id=self.customer.m)
        return set(rows.values_list("platform_id", "platform_user_id"))

    def delivery(self, activation: Activation, platform_user_id: str) -> Delivery:
        return Delivery.objects.get(activation_id=activation.id, platform_user_id=platform_user_id)

    def wanted(self, activation: Activation) -> set[str]:
        rows = Delivery.objects.filter(activation_id=activation.id, wanted=True)
        return set(rows.values_list("platform_user_id", flat=True))

    def accept_all_deliveries(self) -> None:
        """As if every platform had accepted everything."""
        with connection.cursor() as cursor:
            cursor.execute("UPDATE delivery SET acknowledged = wanted, due_at = NULL, claim = NULL")
        recount()

    def due(self) -> set[tuple[str, bool]]:
        """Returns what has still to be delivered: (id, wanted)."""
        rows = Delivery.objects.filter(due_at__isnull=False)
        return set(rows.values_list("platform_user_id", "wanted"))

    def bad_rows(self) -> list[BadRow]:
        return list(BadRow.objects.order_by("bucket", "id"))


def recount() -> None:
    """To be called after a test has changed rows by itself which the hub counts as it changes them."""
    for bucket in {one.bucket for one in counts.check()}:
        counts.repair(bucket)


def somebody() -> UUID:
    return uuid.uuid4()


def in_bucket(bucket: int, number: int) -> UUID:
    """Somebody whose bucket is that one, the same each time."""
    return UUID(int=(0xABCDEF00 + number) << 64 | 4 << 76 | 8 << 60 | bucket)
