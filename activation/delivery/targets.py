"""A platform as the delivery stage sees it: connector, limits and segments.

It is read again only when something of its customer's configuration has changed.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from psycopg import Cursor

from activation.activation_index import fault_of
from activation.delivery import lanes
from activation.delivery.activation_status import revive
from activation.delivery.circuit_breaker import COLUMNS, BreakerState
from activation.delivery.refusals import RefusalHistory
from activation.models import Activation
from core import problems
from core.database import DatabaseClock, elapsed
from integrations import limits
from integrations.connectors.base import Connector, Segment
from integrations.limits import Limits
from integrations.models import Platform
from integrations.services import connector_of

# The version is raised by whatever changes something of the platform's customer, or of everybody.
LOOK = f"""
SELECT v.version - v.named + COALESCE(c.version, 0), p.customer_id, clock_timestamp(), {COLUMNS}
FROM configuration_version v JOIN platform p ON p.pl = %s LEFT JOIN customer_version c ON c.customer_id = p.customer_id
LEFT JOIN platform_health h ON h.platform_id = p.pl
"""
SENT = (Activation.Status.PENDING, Activation.Status.LIVE)
# rows claimed at once for a connector that sends each row by itself
SINGLES = 50


@dataclass(slots=True)
class DeliveryTarget:
    """A platform with all that sending to it needs. Shared by the threads of a process; `rows` and `histories` change.

    `segments` are those that exist and may be filled (or emptied) now, by activation; `pending` still have to be
    created; `ending` are deleted once they are empty. `rows`: how many go into one request; less than the connector's
    once the platform found that too much. `histories`: what was refused, by activation.
    """

    version: int
    platform: int
    customer: int
    connector: Connector
    limits: Limits
    segments: dict[int, Segment] = field(default_factory=dict)
    pending: list[Segment] = field(default_factory=list)
    ending: list[Segment] = field(default_factory=list)
    rows: int = 1
    histories: dict[int, RefusalHistory] = field(default_factory=dict)

    def history(self, activation: int) -> RefusalHistory:
        """Returns what has become of the activation's rows in this process."""
        return self.histories.setdefault(activation, RefusalHistory())

    @property
    def ending_activations(self) -> set[int]:
        return {segment.activation for segment in self.ending}

    @property
    def claimed_rows(self) -> int:
        return SINGLES if self.connector.batch_size == 1 else self.rows

    @property
    def request_duration(self) -> timedelta:
        """The longest that a request may take, from its claim to its finish."""
        return timedelta(seconds=self.connector.timeout) + lanes.MARGIN

    @property
    def lease_duration(self) -> timedelta:
        """Longer than a request's, so that a lease need not be renewed for each."""
        return self.request_duration + lanes.MARGIN


_targets: dict[int, DeliveryTarget] = {}
_noted: dict[int, str] = {}


@dataclass(frozen=True, slots=True)
class PlatformLook:
    """What a look at a platform found: how it is configured, its breaker, and the database's time."""

    target: DeliveryTarget
    breaker: BreakerState
    clock: DatabaseClock


def load(cursor: Cursor[Any], platform: int) -> DeliveryTarget | None:
    """Returns the platform as of now. None where it is disabled. Not to be called inside a transaction.

    Raises Django's `ValidationError` where it cannot be used as it is configured.
    """
    row = _read(cursor, platform)
    return None if row is None else _as_of(row[0], platform)


def look(cursor: Cursor[Any], platform: int) -> PlatformLook | None:
    """The same, with what else a sender has to know before each round: in one statement, where nothing has changed.

    None where the platform cannot be used (this is noted where people see it), or has no segment that may be filled or
    emptied now.
    """
    began = elapsed()
    row = _read(cursor, platform)
    if row is None:
        return None
    version, customer, now, *breaker = row
    target = _usable(version, platform, customer)
    if target is None or not target.segments:
        return None
    return PlatformLook(target, BreakerState.of(breaker), DatabaseClock(now, began))


def usable(cursor: Cursor[Any], platform: int) -> DeliveryTarget | None:
    """As `load`, and None where the platform cannot be used: this is noted where people see it."""
    row = _read(cursor, platform)
    return None if row is None else _usable(row[0], platform, row[1])


def fillable(cursor: Cursor[Any], platform: int) -> DeliveryTarget | None:
    """As `usable`, and None where the platform has no segment that may be filled or emptied now."""
    found = usable(cursor, platform)
    return found if found is not None and found.segments else None


def _read(cursor: Cursor[Any], platform: int) -> tuple[Any, ...] | None:
    cursor.execute(LOOK, [platform])
    return cursor.fetchone()


def _as_of(version: int, platform: int) -> DeliveryTarget | None:
    known = _targets.get(platform)
    if known is None or known.version != version:
        row = Platform.objects.filter(pl=platform, enabled=True).first()
        if row is None:
            return None
        connector = connector_of(row)
        given = limits.read(row.limits, connector.default_limits)
        found = DeliveryTarget(version, row.pl, row.customer_id, connector, given)
        revive(row)
        found.histories = known.histories if known is not None else {}
        known = _targets[platform] = _with_segments(found, row)
    return known


def _usable(version: int, platform: int, customer: int) -> DeliveryTarget | None:
    try:
        found = _as_of(version, platform)
    except ValidationError as wrong:
        words = problems.words_of(wrong)
        if _noted.get(platform) != words:
            problems.note((problems.Subject.PLATFORM, platform), customer, words)
            _noted[platform] = words
        return None
    _noted.pop(platform, None)
    return found


def _with_segments(found: DeliveryTarget, row: Platform) -> DeliveryTarget:
    """Add the segments, without those of activations whose settings do not fit: these are noted where people see it."""
    found.rows = found.connector.batch_size
    for activation in Activation.objects.filter(platform=row).select_related("audience"):
        segment = segment_of(activation)
        fault = fault_of(found.connector, activation.settings, segment.id) if activation.status in SENT else None
        if fault is not None:
            problems.note((problems.Subject.ACTIVATION, activation.id), row.customer_id, fault)
        elif activation.status == Activation.Status.PENDING:
            found.pending.append(segment)
        elif activation.status == Activation.Status.LIVE:
            found.segments[activation.id] = segment
        elif activation.status == Activation.Status.ENDING:
            found.ending.append(segment)
            if segment.id is not None:
                found.segments[activation.id] = segment
    return found


def segment_of(activation: Activation) -> Segment:
    """Returns the activation as connectors see it."""
    audience = activation.audience
    return Segment(
        activation=activation.id,
        id=activation.segment_id,
        audience=audience.id,
        name=activation.segment_name,
        label=activation.name,
        settings=activation.settings,
        customer=audience.customer_id,
        platform=activation.platform_id,
    )
