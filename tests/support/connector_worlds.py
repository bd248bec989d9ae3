"""One platform of each kind, set up at its stand-in, and what happens there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from activation import services as activations
from activation.models import Activation
from integrations.connectors.base import Connector
from integrations.connectors.mapp_cep.connector import MappCep
from integrations.connectors.mapp_webhook.connector import MappWebhook
from integrations.connectors.mediamath_batch.connector import MediaMathBatch
from integrations.connectors.mediamath_event.connector import MediaMathEvent
from tests.support.delivery_stage import DeliveryStage
from tests.support.edge_process import until
from tests.support.sandbox_with_stand_ins import SandboxWithStandIns

MAPPING = [{"from": "sku", "to": "product_id", "type": "String"}, {"from": "mail", "to": "mt_exem", "type": "String"}]


@dataclass(frozen=True)
class ConnectorCase:
    """`title`: what the platform calls the audience. `an_id`: one that the platform takes."""

    connector: type[Connector]
    party: str
    settings: Callable[[str], dict[str, Any]]
    credentials: dict[str, Any]
    activation: dict[str, Any]
    title: str
    an_id: Callable[[int], str]
    removes: bool = True
    account: str = "a"

    @property
    def overload(self) -> str | None:
        return "Database Access Limit Exceeded" if self.connector is MappCep else None


def guid(_: int) -> str:
    return str(uuid4())


CASES = [
    ConnectorCase(
        MappWebhook,
        "mapp-webhook",
        lambda url: {"url": f"{url}/mapp-webhook/a"},
        {"secret": "a-secret"},
        {},
        "big",
        lambda number: f"abc{number}",
    ),
    ConnectorCase(
        MappCep,
        "cep",
        lambda url: {"api_url": f"{url}/cep/api/rest/v6", "default_group_id": 4711},
        {"username": "a", "password": "a-secret"},
        {},
        "big - DMP",
        lambda number: str(800 + number),
    ),
    ConnectorCase(
        MediaMathEvent,
        "mediamath-event",
        lambda url: {"url": f"{url}/mediamath/event/img", "advertiser_id": 23, "mapping": MAPPING},
        {},
        {"pixel_id": 77},
        "77",
        guid,
        removes=False,
        account="23",
    ),
    ConnectorCase(
        MediaMathBatch,
        "mediamath-batch",
        lambda url: {"url": f"{url}/mediamath/v1", "advertiser_id": 23, "mapping": MAPPING},
        {"api_key": "a-secret"},
        {"pixel_id": 77, "mapping_id": "23-77"},
        "77",
        guid,
        removes=False,
    ),
]


class ConnectorWorld:
    """One platform of a case, with an audience on its way to it."""

    def __init__(self, stage: DeliveryStage, sandbox: SandboxWithStandIns, case: ConnectorCase) -> None:
        self.stage, self.sandbox, self.case = stage, sandbox, case
        self.platform = stage.shop.platform(
            "a",
            connector=case.connector.key,
            settings=case.settings(sandbox.url),
            credentials=case.credentials,
        )
        self._count = 0

    def activate(self) -> Activation:
        activation = activations.activate(self.stage.audience(), self.platform, self.case.activation)
        self.stage.shop.absorb()
        until(lambda: self._is_made(activation), 10)  # a Redis that has just started lets nobody through at once
        return activation

    def _is_made(self, activation: Activation) -> bool:
        self.stage.create(self.platform)
        activation.refresh_from_db()
        return activation.status == Activation.Status.LIVE

    def joins(self, **data: Any) -> tuple[Any, str]:
        self._count += 1
        an_id = self.case.an_id(self._count)
        user = self.stage.user(an_id, self.platform)
        if data:
            self.stage.shop.event(user, data)
        return user, an_id

    def held(self) -> set[str]:
        return self.sandbox.segment(self.case.party, self.case.title, self.case.account)

    def rejected(self) -> int:
        return int(self.sandbox.account(self.case.party, self.case.account)["rejected"])
