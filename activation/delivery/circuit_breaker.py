"""How a platform fares: a circuit breaker that all workers share, and waits that the platform asked for.

Eight failed requests in a row open the breaker: nothing is sent for a while, then one request is sent to find
out (a probe). Where it succeeds the breaker closes, else it waits twice as long. Its row is written when
something goes wrong, and once when it is well again: never while all is well.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg import Cursor

from activation.delivery.outcomes import stored
from activation.models import Health

FAILURES = 8
FIRST_SECONDS, LONGEST_SECONDS = 5.0, 300.0
MOST_DOUBLINGS = 10
EXCERPT = 300

READ = """
SELECT state, failures, openings, limited, until, slowed_to, slowed_at, reason FROM platform_health
WHERE platform_id = %s
"""
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
DECLINE = """
UPDATE platform_health SET until = %(now)s WHERE platform_id = %(platform)s AND state = 'probing' AND until = %(until)s
"""
WELL = """
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
class Condition:
    """A platform's health as it was read."""

    state: str = Health.State.CLOSED
    failures: int = 0
    openings: int = 0
    limited: int = 0
    until: datetime | None = None
    slowed_to: float | None = None
    slowed_at: datetime | None = None
    reason: str = ""

    def holds_back(self, now: datetime) -> bool:
        return self.until is not None and now < self.until

    @property
    def is_broken(self) -> bool:
        return self.state != Health.State.CLOSED

    @property
    def is_troubled(self) -> bool:
        """Whether a success is news."""
        return self.is_broken or self.failures > 0 or self.limited > 0


WELL_KNOWN = Condition()


def read(cursor: Cursor[Any], platform: int) -> Condition:
    cursor.execute(READ, [platform])
    row = cursor.fetchone()
    return WELL_KNOWN if row is None else Condition(*row)


def probe(cursor: Cursor[Any], platform: int, now: datetime, duration: timedelta) -> bool:
    """Be the one who finds out; no, where somebody else does. A prober that dies is replaced after `duration`."""
    cursor.execute(PROBE, {"platform": platform, "now": now, "until": now + duration})
    return bool(cursor.rowcount)


def decline(cursor: Cursor[Any], platform: int, now: datetime, until: datetime) -> None:
    """The prober whose turn lasts until then has nothing to send: the next one finds out."""
    cursor.execute(DECLINE, {"platform": platform, "now": now, "until": until})


def failed(cursor: Cursor[Any], platform: int, reason: str, now: datetime) -> bool:
    """A request failed; whether the breaker is open now."""
    cursor.execute(FAILED, {"platform": platform, "reason": stored(reason)[:EXCERPT], "now": now})
    state, failures, openings = cursor.fetchone() or (Health.State.CLOSED, 0, 0)
    if state == Health.State.CLOSED and failures < FAILURES:
        return False
    wait = min(FIRST_SECONDS * 2.0 ** min(openings, MOST_DOUBLINGS), LONGEST_SECONDS)
    cursor.execute(OPEN, {"platform": platform, "now": now, "until": now + timedelta(seconds=wait)})
    return True


def succeeded(cursor: Cursor[Any], platform: int, now: datetime) -> None:
    """All is well again."""
    cursor.execute(WELL, {"platform": platform, "now": now})


def limited(
    cursor: Cursor[Any],
    platform: int,
    until: datetime,
    reason: str,
    now: datetime,
    *,
    slowed: float | None,
    counts: bool,
) -> None:
    """The platform (or a quota of ours) says when to go on; `slowed`: calls a second from now on."""
    values = {"platform": platform, "until": until, "reason": stored(reason)[:EXCERPT], "now": now}
    cursor.execute(LIMITED, {**values, "slowed": slowed, "counts": int(counts)})
