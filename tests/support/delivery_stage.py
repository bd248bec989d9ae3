"""A shop that sends its audiences to the sandbox: the deliver stage runs in this process, lane by lane."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from django.db.models import Sum

from activation.delivery.lanes import CREATION, LANES
from activation.models import Activation, Batch, Delivery
from audiences.models import Audience
from core.scope import EVERYTHING
from integrations.models import Platform
from pipeline import deliver
from pipeline.backlog import counts
from tests.support.edge_process import until
from tests.support.sandbox_process import SandboxProcess
from tests.support.shop import Shop, rule, somebody

ROW = [{"segment": "{{segment_id}}", "userid": "{{userid}}"}]


class DeliveryStage:
    """Users, audiences and platforms of a shop, and `deliver` to send what is due."""

    def __init__(self, shop: Shop, sandbox: SandboxProcess) -> None:
        self.shop, self.sandbox = shop, sandbox
        shop.attribute("amount", "number")

    def platform(
        self, account: str = "a", *, password: str | None = None, connector: str = "http", **more: Any
    ) -> Platform:
        url = self.sandbox.segments_url
        settings = {
            "linger_ms": 0,
            "create": {"method": "POST", "url": url + "?title={{name}}"},
            "add": {"method": "POST", "url": url, "body": ROW},
            "remove": {"method": "DELETE", "url": url, "body": ROW},
            **more,
        }
        user, right = self.sandbox.credentials(account)
        credentials = {"type": "basic", "username": user, "password": password or right}
        return self.shop.platform(account, connector=connector, settings=settings, credentials=credentials)

    def audience(self, name: str = "big", above: int = 100) -> Audience:
        return self.shop.audience(name, rule("attribute.amount", ">", above))

    def activation(self, audience: Audience, platform: Platform) -> Activation:
        """Live: its segment is there."""
        activation = self.shop.activation(audience, platform)
        self.create(platform)
        activation.refresh_from_db()
        assert activation.status == Activation.Status.LIVE, activation.last_error
        return activation

    def user(self, platform_user_id: str, platform: Platform, amount: int = 500) -> UUID:
        user = somebody()
        self.shop.sync(user, platform, platform_user_id)
        self.shop.event(user, {"amount": amount})
        return user

    def change(self, user: UUID, amount: int) -> None:
        self.shop.event(user, {"amount": amount})
        self.shop.absorb()

    # ── sending ──────────────────────────────────────────────────────────────────────────────────────

    def create(self, platform: Platform) -> int:
        return deliver.work(platform.pl, CREATION, lambda: True)

    def deliver(self, platform: Platform) -> int:
        """Send what is due now. Returns the number of rows taken on."""
        self.shop.absorb()
        return sum(deliver.work(platform.pl, lane, lambda: True) for lane in range(LANES))

    def deliver_all(self, platform: Platform, seconds: float = 60.0) -> None:
        """Send, and send again, until nothing is due or under way."""

        def quiet() -> bool:
            self.deliver(platform)
            found = counts(EVERYTHING)
            return not (found["deliveries_due"] or found["in_flight"])

        until(quiet, seconds)

    def deliver_all_of(self, platform: Platform, seconds: float = 60.0) -> None:
        """The same, where other platforms may have something due."""

        def done() -> bool:
            self.deliver(platform)
            return not Delivery.objects.filter(platform_id=platform.pl, due_at__isnull=False).exists()

        until(done, seconds)

    def deliver_all_of_live(self, platform: Platform, seconds: float = 60.0) -> None:
        """The same, where some activations of the platform may be broken: of the others."""

        def done() -> bool:
            self.deliver(platform)
            live = platform.activations.filter(status=Activation.Status.LIVE).values_list("id", flat=True)
            return not Delivery.objects.filter(activation_id__in=list(live), due_at__isnull=False).exists()

        until(done, seconds)

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────

    def held(self, title: str = "big", account: str = "a") -> set[str]:
        return self.sandbox.members(account, title)

    def calls(self) -> int:
        """How many requests were made with rows in them."""
        batches = Batch.objects.exclude(operation="create")
        return int(batches.aggregate(total=Sum("requests"))["total"] or 0)

    def delivery(self, platform_user_id: str) -> Delivery:
        return Delivery.objects.get(platform_user_id=platform_user_id)

    def wait_until_due(self) -> None:
        """Until the first row that waits may be sent."""
        first = Delivery.objects.filter(due_at__isnull=False).order_by("due_at")[0].due_at
        assert first is not None
        time.sleep(max(0.0, (first - datetime.now(UTC)).total_seconds()))

    def connection(self) -> psycopg.Connection[Any]:
        """The connection that this thread sends with."""
        return deliver.connections.get()


def forget_backoff() -> None:
    """As if every wait were over, and nobody had asked for fewer requests a second."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE delivery SET due_at = now() WHERE due_at > now() AND claim IS NULL")
        cursor.execute("UPDATE platform_health SET until = now() WHERE until > now()")
        cursor.execute("UPDATE platform_health SET slowed_to = NULL, slowed_at = NULL")
