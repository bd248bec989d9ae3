"""Decides how something is doing: a word, and a sentence that a person would say. Pure: no database, no clock.

`state`: ok; working (on its way to ok); waiting (goes on by itself at a known moment, or once somebody else acts);
degraded (goes on, but something is wrong); broken (nothing happens until a person acts); idle (nothing is to be done).
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

from activation.delivery.circuit_breaker import BreakerState
from activation.models import Activation
from pipeline.models import Import

SILENT = timedelta(hours=24)
# so many failed requests in a row are no accident
FAILS = 2
# of all ids: so few refused ones are told, and no trouble
FEW = 0.01
WORDS = 300
READ_LETTERS = "Read the dead letters, mend what they say, and replay them."

Status, Trouble = Activation.Status, Activation.Trouble


class HealthState(StrEnum):
    OK = "ok"
    WORKING = "working"
    WAITING = "waiting"
    DEGRADED = "degraded"
    BROKEN = "broken"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class HealthWord:
    """How something is doing. `people`: how many the reason is about. `action`: what to do; empty: nothing.

    `quote` are the words of a platform, which may hold personal data: `shown` leaves them out for those who may not
    see persons.
    """

    state: HealthState
    reason: str
    since: datetime | None = None
    people: int = 0
    action: str = ""
    quote: str = ""

    def shown(self, *, persons: bool) -> dict[str, object]:
        """Return it as the API shows it."""
        return {
            "state": self.state.value,
            "reason": self.sentence(persons=persons),
            "since": self.since,
            "people": self.people,
            "action": self.action,
        }

    def sentence(self, *, persons: bool) -> str:
        """Return the reason, with the platform's words where they may be seen."""
        return f"{self.reason}: {self.quote[:WORDS]}" if self.quote and persons else self.reason


@dataclass(frozen=True, slots=True)
class SendingFacts:
    """What holds requests to a platform back, at `now`. `problem`: why it cannot be used as it is configured."""

    now: datetime
    zone: tzinfo
    enabled: bool = True
    delivers: bool = True
    problem: str = ""
    breaker: BreakerState = field(default_factory=BreakerState)
    breaker_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ActivationFacts:
    """What is known of an activation; the counts are those of `activation.services`."""

    status: str
    since: datetime
    trouble: str
    last_error: str
    problem: str
    progress: int
    wanted: int
    acknowledged: int
    due: int
    waiting_for_mapping: int
    dead: int
    refusal: str
    sending: SendingFacts


def of_activation(facts: ActivationFacts) -> HealthWord:
    """Say how an activation is doing: first what keeps it from going on, then how far it is."""
    if facts.status == Status.ENDING:
        left = facts.acknowledged
        return HealthWord(HealthState.WORKING, f"ending: {_ids(left)} to be removed", facts.since, left)
    if facts.status == Status.BROKEN:
        return _broken(facts)
    if facts.problem or facts.sending.problem:
        words = facts.problem or facts.sending.problem
        return HealthWord(
            HealthState.BROKEN, f"cannot be used as it is set up: {words}", None, facts.wanted, "Mend the settings."
        )
    if facts.status == Status.PAUSED:
        return HealthWord(HealthState.IDLE, "paused", facts.since, facts.wanted, "Resume it.")
    held = _held_back(facts.sending, facts.due)
    if held is not None:
        return held
    return _pending(facts) if facts.status == Status.PENDING else _live(facts)


_TROUBLES = {
    Trouble.CREDENTIALS.value: ("credentials refused", "Enter the credentials of the platform again."),
    Trouble.REDIRECT.value: ("the address redirects", "Enter the new address in the platform's settings."),
    Trouble.SETTINGS.value: ("the settings do not work", "Mend the settings, or resume it."),
    Trouble.REFUSED.value: ("every id refused", "Mend what the platform says, then resume it."),
    Trouble.CONNECTOR.value: ("the connector has a fault", "Tell whoever made the connector, then resume it."),
    Trouble.CREATION.value: ("the segment could not be created", "Look for it at the platform, then resume."),
}


def _broken(facts: ActivationFacts) -> HealthWord:
    reason, action = _TROUBLES.get(facts.trouble, ("broken", "Mend what is said, then resume it."))
    return HealthWord(HealthState.BROKEN, reason, facts.since, facts.wanted, action, facts.last_error)


def _pending(facts: ActivationFacts) -> HealthWord:
    if facts.last_error:
        reason = "the segment could not be created yet"
        return HealthWord(HealthState.WAITING, reason, facts.since, facts.wanted, "", facts.last_error)
    return HealthWord(HealthState.WORKING, "the segment is being created", facts.since, facts.wanted)


def _live(facts: ActivationFacts) -> HealthWord:
    wanted, dead = facts.wanted, facts.dead
    if dead and dead >= wanted and not facts.acknowledged:
        action = "Mend what the platform says, then replay the dead letters."
        return HealthWord(HealthState.BROKEN, "every id refused", facts.since, dead, action, facts.refusal)
    refused = f"; {_ids(dead)} refused" if dead else ""
    if facts.due or facts.progress < 100:
        return _moving(facts, refused)
    if dead > FEW * max(wanted, 1):
        reason = f"{_ids(dead)} of {wanted:,} refused"
        return HealthWord(HealthState.DEGRADED, reason, None, dead, READ_LETTERS, facts.refusal)
    if not wanted and facts.waiting_for_mapping:
        waiting = facts.waiting_for_mapping
        reason = f"nobody is matched yet: {waiting:,} members wait for a match"
        return HealthWord(HealthState.WAITING, reason, facts.since, waiting, "Have browsers synced with the platform.")
    if not wanted:
        return HealthWord(HealthState.IDLE, "the audience has nobody to send", facts.since)
    return HealthWord(HealthState.OK, f"delivered{refused}", facts.since, wanted)


def _moving(facts: ActivationFacts, refused: str) -> HealthWord:
    if facts.last_error and facts.due:
        return HealthWord(HealthState.DEGRADED, "the last try failed", facts.since, facts.due, "", facts.last_error)
    share = min(99, 100 * facts.acknowledged // facts.wanted) if facts.wanted else 0
    share = min(share, facts.progress) if facts.progress < 100 else share
    return HealthWord(HealthState.WORKING, f"delivering {share} %{refused}", facts.since, facts.due)


def _held_back(facts: SendingFacts, people: int) -> HealthWord | None:
    """Say what keeps requests to the platform back now; None: nothing does."""
    if not facts.enabled:
        return HealthWord(HealthState.IDLE, "the platform is switched off", None, people, "Switch it on.")
    found, since = facts.breaker, facts.breaker_since
    if found.is_broken:
        again = f", tried again at {_clock(found.until, facts)}" if found.holds_back(facts.now) else ""
        return HealthWord(HealthState.DEGRADED, f"the platform fails{again}", since, people, "", found.reason)
    if not found.holds_back(facts.now):
        fails = found.failures >= FAILS and people > 0
        return (
            HealthWord(HealthState.DEGRADED, "the platform fails", since, people, "", found.reason) if fails else None
        )
    for what, words in _QUOTAS.items():
        if what in found.reason:
            return HealthWord(
                HealthState.WAITING, f"waits for the {words} quota until {_clock(found.until, facts)}", since, people
            )
    reason = f"waits until {_clock(found.until, facts)}, as the platform asks"
    return HealthWord(HealthState.WAITING, reason, since, people, "", found.reason)


# words of `activation.delivery.quotas`
_QUOTAS = {"files an hour are used up": "hour's", "a day are used up": "day's"}


@dataclass(frozen=True, slots=True)
class PlatformFacts:
    """What is known of a platform. `activations`: how many it has. `broken`: trouble and words of those that are.

    The counts are sums over its activations.
    """

    sending: SendingFacts
    activations: int = 0
    broken: tuple[tuple[str, str], ...] = ()
    broken_since: datetime | None = None
    wanted: int = 0
    acknowledged: int = 0
    due: int = 0
    dead: int = 0


def of_platform(facts: PlatformFacts) -> HealthWord:
    """Say how a platform is doing."""
    if facts.sending.problem:
        reason = f"cannot be used as it is set up: {facts.sending.problem}"
        return HealthWord(HealthState.BROKEN, reason, None, facts.wanted, "Mend the settings.")
    if facts.sending.enabled and facts.broken and len(facts.broken) == facts.activations:
        trouble, words = facts.broken[0]
        reason, action = _TROUBLES.get(trouble, ("broken", "Mend what is said, then resume."))
        return HealthWord(HealthState.BROKEN, reason, facts.broken_since, facts.wanted, action, words)
    held = _held_back(facts.sending, facts.due)
    if held is not None:
        return held
    if facts.broken:
        reason = f"{len(facts.broken)} of {facts.activations} activations are broken"
        return HealthWord(HealthState.DEGRADED, reason, facts.broken_since, facts.wanted, "Look at them.")
    return _going(facts)


def _going(facts: PlatformFacts) -> HealthWord:
    if not facts.sending.delivers:
        return HealthWord(HealthState.IDLE, "for user sync only")
    if not facts.activations:
        return HealthWord(HealthState.IDLE, "no audience is sent to it", None, 0, "Activate an audience on it.")
    if facts.due:
        share = min(99, 100 * facts.acknowledged // facts.wanted) if facts.wanted else 0
        return HealthWord(HealthState.WORKING, f"delivering {share} %", None, facts.due)
    if facts.dead > FEW * max(facts.wanted, 1):
        return HealthWord(HealthState.DEGRADED, f"{_ids(facts.dead)} refused", None, facts.dead, READ_LETTERS)
    return HealthWord(HealthState.OK, "everything is delivered", None, facts.wanted)


def of_pixel(last_at: datetime | None, events: int, created_at: datetime, now: datetime, zone: tzinfo) -> HealthWord:
    """Say whether something arrives at a pixel."""
    if last_at is None:
        return HealthWord(HealthState.IDLE, "nothing has arrived yet", created_at, 0, "Put its tag on your pages.")
    if now - last_at < SILENT:
        return HealthWord(HealthState.OK, f"events arrive: {events:,} so far", last_at)
    days = (now.astimezone(zone).date() - last_at.astimezone(zone).date()).days
    day = "yesterday" if days <= 1 else f"{last_at.astimezone(zone):%Y-%m-%d}"
    action = "See whether its tag is still on your pages."
    return HealthWord(HealthState.DEGRADED, f"nothing arrives since {day}", last_at, 0, action)


def of_import(row: Import) -> HealthWord:
    """Say how far an import is, and what came of it."""
    match row.status:
        case Import.Status.WAITING:
            return HealthWord(HealthState.WAITING, "waits for its turn", row.created_at)
        case Import.Status.RUNNING:
            share = min(99, 100 * row.read // row.size) if row.size else 0
            return HealthWord(HealthState.WORKING, f"{share} % is read", row.created_at, row.stored)
        case Import.Status.CANCELLED:
            return HealthWord(HealthState.IDLE, "cancelled", row.finished_at, row.stored)
        case Import.Status.FAILED:
            action = "Mend the file, and upload it again."
            return HealthWord(HealthState.BROKEN, f"failed: {row.error[:WORDS]}", row.finished_at, row.position, action)
    return _imported(row)


def _imported(row: Import) -> HealthWord:
    good, bad, kept = row.stored, row.errors, "good" if row.dry_run else "stored"
    if bad and not good:
        action = "Read why, mend the file, and upload it again."
        return HealthWord(HealthState.BROKEN, "every row refused", row.finished_at, bad, action)
    if bad:
        reason = f"{bad:,} of {good + bad:,} rows refused"
        return HealthWord(HealthState.DEGRADED, reason, row.finished_at, bad, "Read why, and send these rows again.")
    return HealthWord(HealthState.OK, f"{good:,} rows {kept}", row.finished_at, good)


def _ids(number: int) -> str:
    return "1 id" if number == 1 else f"{number:,} ids"


def _clock(moment: datetime | None, facts: SendingFacts) -> str:
    """Return a moment as the time of day where the customer is; with the day, where it is another one."""
    if moment is None:
        return "any moment"
    there, now = moment.astimezone(facts.zone), facts.now.astimezone(facts.zone)
    day = "" if there.date() == now.date() else f"{there:%Y-%m-%d} "
    return f"{day}{there:%H:%M} {facts.zone.tzname(None) or facts.zone}"
