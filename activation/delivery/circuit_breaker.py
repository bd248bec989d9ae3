"""A circuit breaker for each platform that all workers share, and the waits that the platform asked for.

Eight failed requests in a row open the breaker: nothing is sent for a while, then one request is sent to find
out (a probe). Where it succeeds the breaker closes, else it waits twice as long. Its row is written when
something goes wrong, and once when it is well again: never while all is well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Cursor

from activation.delivery.retry import longest_wait
from activation.models import Health
from activation.stores.batches import storable

FAILURES = 8
FIRST_SECONDS = 5.0
EXCERPT = 300

# of the table `h`: what makes a `BreakerState`
COLUMNS = "h.state, h.failures, h.openings, h.limited, h.until, h.slowed_to, h.slowed_at, h.reason"
READ = f"SELECT {COLUMNS} FROM platform_health h WHERE h.platform_id = %s"
FAILED = """
INSERT INTO platform_health AS kept (platform_id, state, failures, openings, limited, reason, changed_at)
VALUES (%(platform)s, 'closed', 1, 0, 0, %(reason)s, %(now)s)
ON CONFLICT (platform_id) DO UPDATE SET failures = kept.failures + 1, reason = excluded.reason,
    changed_at = excluded.changed_at
RETURNING state, failures, openings
"""
OPEN = """
UPDATE platform_health SET state = 'open', openings = openings + 1, until = %(until)s, changed_at = %(now)s
WHERE platform_id = %(platform)s AND (state <> 'open' OR until <= %(now)s)
"""
PROBE = """
UPDATE platform_health SET state = 'probing', until = %(until)s, changed_at = %(now)s
WHERE platform_id = %(platform)s AND state <> 'closed' AND until <= %(now)s
"""
END_PROBE = """
UPDATE platform_health SET until = %(now)s WHERE platform_id = %(platform)s AND state = 'probing' AND until = %(until)s
"""
SUCCEEDED = """
UPDATE platform_health SET state = 'closed', failures = 0, openings = 0, limited = 0, until = NULL, reason = '',
    changed_at = %(now)s
WHERE platform_id = %(platform)s AND (state <> 'open' OR until <= %(now)s)
  AND (failures > 0 OR limited > 0 OR until <= %(now)s)
"""
LIMITED = """
INSERT INTO platform_health AS kept (platform_id, state, failures, openings, limited, until, reason, slowed_to,
                                     slowed_at, changed_at)
VALUES (%(platform)s, 'closed', 0, 0, 1, %(until)s, %(reason)s, %(slowed)s, %(now)s, %(now)s)
ON CONFLICT (platform_id) DO UPDATE SET state = 'closed', openings = 0, limited = kept.limited + %(counts)s,
    until = greatest(kept.until, excluded.until), reason = excluded.reason,
    slowed_to = coalesce(excluded.slowed_to, kept.slowed_to),
    slowed_at = CASE WHEN excluded.slowed_to IS NULL THEN kept.slowed_at ELSE excluded.slowed_at END,
    changed_at = excluded.changed_at
"""


@dataclass(frozen=True, slots=True)
class BreakerState:
    """The breaker's row as it was read. `until`: nothing is sent before it; `slowed_to`: calls a second."""

    state: str = Health.State.CLOSED
    failures: int = 0
    openings: int = 0
    limited: int = 0
    until: datetime | None = None
    slowed_to: float | None = None
    slowed_at: datetime | None = None
    reason: str = ""

    @classmethod
    def of(cls, row: Sequence[Any] | None) -> "BreakerState":
        """Makes it of `COLUMNS`, which are null where nothing has gone wrong yet."""
        return cls() if row is None or row[0] is None else cls(*row)

    def holds_back(self, now: datetime) -> bool:
        """Whether nothing may be sent now."""
        return self.until is not None and now < self.until

    @property
    def is_broken(self) -> bool:
        """Whether only a probe may be sent."""
        return self.state != Health.State.CLOSED

    @property
    def is_troubled(self) -> bool:
        """Whether a success has to be recorded."""
        return self.is_broken or self.failures > 0 or self.limited > 0


@dataclass(frozen=True, slots=True)
class CircuitBreaker:
    """The breaker of one platform. Each method is one short statement, in a transaction of the caller's or its own."""

    cursor: Cursor[Any]
    platform: int

    def read(self) -> BreakerState:
        self.cursor.execute(READ, [self.platform])
        return BreakerState.of(self.cursor.fetchone())

    def begin_probe(self, now: datetime, duration: timedelta) -> bool:
        """Become the one who finds out; False where somebody else does. A dead prober is replaced after `duration`."""
        self.cursor.execute(PROBE, {"platform": self.platform, "now": now, "until": now + duration})
        return bool(self.cursor.rowcount)

    def end_probe(self, now: datetime, until: datetime) -> None:
        """Let another sender find out: the prober whose turn lasts until then has nothing to send."""
        self.cursor.execute(END_PROBE, {"platform": self.platform, "now": now, "until": until})

    def record_failure(self, reason: str, now: datetime) -> None:
        """Count a failed request, and open the breaker where there were too many in a row, or where a probe failed."""
        self.cursor.execute(FAILED, {"platform": self.platform, "reason": storable(reason)[:EXCERPT], "now": now})
        state, failures, openings = self.cursor.fetchone() or (Health.State.CLOSED, 0, 0)
        if state == Health.State.CLOSED and failures < FAILURES:
            return
        until = now + longest_wait(openings + 1, FIRST_SECONDS)
        self.cursor.execute(OPEN, {"platform": self.platform, "now": now, "until": until})

    def record_success(self, now: datetime) -> None:
        """Close the breaker and forget what went wrong."""
        self.cursor.execute(SUCCEEDED, {"platform": self.platform, "now": now})

    def pause(self, until: datetime, reason: str, now: datetime) -> None:
        """Send nothing before `until`: a quota of the platform is used up, or the platform named the time."""
        self._limit(until, reason, now, slowed=None, counts=0)

    def slow_down(self, until: datetime, reason: str, now: datetime, per_second: float) -> None:
        """Send nothing before `until`, as the platform asks, and so many calls a second afterwards."""
        self._limit(until, reason, now, slowed=per_second, counts=1)

    def _limit(self, until: datetime, reason: str, now: datetime, *, slowed: float | None, counts: int) -> None:
        values = {"platform": self.platform, "until": until, "reason": storable(reason)[:EXCERPT], "now": now}
        self.cursor.execute(LIMITED, {**values, "slowed": slowed, "counts": counts})
