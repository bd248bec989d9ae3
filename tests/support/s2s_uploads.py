"""A MediaMath S2S platform whose files go to an SFTP server here, and whose log is the stand-in's."""

import gzip
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import connection

from activation import services as activations
from activation.delivery.lanes import CREATION, FILES
from activation.models import Activation
from integrations.models import Platform
from pipeline import deliver
from tests.support.delivery_stage import DeliveryStage
from tests.support.platform_trouble import forget_waits
from tests.support.sandbox_with_stand_ins import SandboxWithStandIns
from tests.support.sftp_server import PASSWORD, USER, SftpServer

AGAIN = "UPDATE lane SET leased_until = NULL; UPDATE uploaded_file SET ask_at = now() WHERE ask_at IS NOT NULL"


class S2sPlatform:
    """A platform that takes files; `write` makes the next ones, `ask` looks into the log."""

    def __init__(self, stage: DeliveryStage, sandbox: SandboxWithStandIns, server: SftpServer) -> None:
        self.stage, self.sandbox, self.server = stage, sandbox, server

    def platform(self, **more: Any) -> Platform:
        given = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "partner": "Partner",
            "segment_namespace": "ep",
            "interval_minutes": 1,
            "log_url": f"{self.sandbox.url}/s2s/ads/log",
        }
        password, limits = more.pop("password", PASSWORD), more.pop("limits", {})
        return self.stage.shop.platform(
            "mediamath",
            connector="mediamath_s2s",
            settings=given | more,
            limits=limits,
            credentials={"username": USER, "password": password},
        )

    def activate(self, platform: Platform, name: str = "big", above: int = 100, **given: Any) -> Activation:
        activation = activations.activate(self.stage.audience(name, above), platform, given)
        self.stage.shop.absorb()
        self.stage.create(platform)
        activation.refresh_from_db()
        return activation

    def joins(self, platform: Platform, amount: int = 500, an_id: str = "", **more: Any) -> tuple[UUID, str]:
        user, an_id = uuid4(), an_id or str(uuid4())
        self.stage.shop.sync(user, platform, an_id, **more)
        self.stage.shop.event(user, {"amount": amount})
        return user, an_id

    def write(self, platform: Platform) -> int:
        """As if the interval, and every wait, were over."""
        self.stage.shop.absorb()
        forget_waits()
        with connection.cursor() as cursor:
            cursor.execute(AGAIN)
        return deliver.work(platform.pl, FILES, lambda: True)

    def ask(self, platform: Platform) -> None:
        with connection.cursor() as cursor:
            cursor.execute(AGAIN)
        assert deliver.is_due(platform.pl, CREATION, datetime.now(UTC))
        deliver.work(platform.pl, CREATION, lambda: True)

    def held(self, activation: Activation) -> set[str]:
        segments = self.sandbox.account("s2s", USER)["segments"]
        return set(segments.get(str(activation.segment_id), {"members": []})["members"])

    def texts(self) -> dict[str, str]:
        return {
            path.name: gzip.decompress(path.read_bytes()).decode() for path in (self.sandbox.files / USER).glob("*.gz")
        }
