"""A platform as the delivery stage sees it: connector and segments, read once per configuration version."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Cursor

from activation.delivery import lanes
from activation.models import Activation
from integrations.connectors.base import Connector, Segment
from integrations.models import Platform
from integrations.services import connector_of

VERSION = "SELECT version FROM configuration_version"


@dataclass(frozen=True, slots=True)
class Target:
    """`segments` are those that exist and may be filled now, by activation; `pending` still have to be created."""

    version: int
    platform: int
    connector: Connector
    segments: dict[int, Segment]
    pending: list[Segment]

    @property
    def request_duration(self) -> timedelta:
        """The longest that a request may take, from its claim to its finish."""
        return timedelta(seconds=self.connector.timeout) + lanes.MARGIN

    @property
    def lease_duration(self) -> timedelta:
        """Longer than a request's, so that a lease need not be renewed for each."""
        return self.request_duration + lanes.MARGIN


_targets: dict[int, Target] = {}


def target(cursor: Cursor[Any], platform: int) -> Target | None:
    """The platform as of now; None where nothing may be sent to it. Not to be called inside a transaction.

    Raises Django's `ValidationError` where its settings do not fit its connector.
    """
    cursor.execute(VERSION)
    (version,) = cursor.fetchone() or (0,)
    known = _targets.get(platform)
    if known is None or known.version != version:
        row = Platform.objects.filter(pl=platform, enabled=True).first()
        if row is None:
            return None
        known = _targets[platform] = _load(row, version)
    return known


def _load(row: Platform, version: int) -> Target:
    activations = Activation.objects.filter(platform=row).select_related("audience")
    segments = {a.id: segment_of(a) for a in activations if a.status == Activation.Status.LIVE}
    pending = [segment_of(a) for a in activations if a.status == Activation.Status.PENDING]
    return Target(version, row.pl, connector_of(row), segments, pending)


def segment_of(activation: Activation) -> Segment:
    audience = activation.audience
    return Segment(
        activation.id, activation.segment_id, audience.id, audience.name, activation.settings,
        audience.customer_id, activation.platform_id,
    )  # fmt: skip
