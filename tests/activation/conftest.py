import threading
from typing import Any

import pytest

from activation.delivery import lanes
from integrations import http
from integrations.connectors.http.connector import HttpConnector
from integrations.models import Platform
from tests.pipeline.conftest import shop
from tests.sandbox.conftest import running_sandbox, sandbox
from tests.support.delivery_stage import DeliveryStage
from tests.support.sandbox_process import SandboxProcess
from tests.support.shop import Shop
from tests.support.tables import db

__all__ = ["db", "running_sandbox", "sandbox", "shop"]


@pytest.fixture
def private_targets(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The sandbox is inside the network that the hub must not enter, so it is allowed to."""
    settings.ALLOW_PRIVATE_TARGETS = True
    monkeypatch.setattr(http, "_local", threading.local())  # sessions keep what was allowed when they were made
    return settings


@pytest.fixture
def stage(shop: Shop, sandbox: SandboxProcess, private_targets: Any) -> DeliveryStage:
    return DeliveryStage(shop, sandbox)


@pytest.fixture
def ads(stage: DeliveryStage) -> Platform:
    """A platform to which the audience “big” is sent."""
    platform = stage.platform()
    stage.activation(stage.audience(), platform)
    return platform


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> float:
    """Time-outs of half a second, leases of one and a half. In seconds: how long a lease lasts."""
    from datetime import timedelta

    monkeypatch.setattr(HttpConnector, "timeout", 0.5)
    monkeypatch.setattr(lanes, "MARGIN", timedelta(seconds=0.5))
    return 1.5
