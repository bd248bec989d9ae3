"""Tells a refusal that is a row's own from one that is not: where everything is refused, nobody is to be buried.

A segment that is gone, or a wrong address, is answered by the same refusal whatever is sent. Whether that is so is
judged by what was accepted: one accepted row shows that the refused ones are refused for their own sake.
"""

from dataclasses import dataclass, field

from activation.stores.claims import ClaimedRow
from activation.stores.dead_letters import Key
from core.patterns import linear
from integrations.errors import IntegrationError, RefusedError

# what a segment that does not exist (any more) is answered with, where the address names no user
GONE = frozenset({404, 410})
# so many rows, one by one, at the least, before a refusal is taken for everybody's
LEAST = 5
LEAST_GONE = 3
# the whole part, and both of its halves
PARTS = 3
# how often, in an activation's life, it may be taken for everybody's by chance
DOUBT = 0.05

# what differs from answer to answer: numbers, and ids of requests
LONGEST_REASON = 2_000
_PARTICULAR = linear(r"[0-9a-fA-F-]{8,}|[0-9]+", LONGEST_REASON)


@dataclass(frozen=True, slots=True)
class PlatformRefusal:
    """A refusal without what is particular to the row: equal ones say the same.

    `gone`: the platform says that what the address names does not exist, and the address names no user.
    """

    status: int | None
    words: str
    gone: bool

    @classmethod
    def of(cls, failure: IntegrationError, *, names_user: bool, row: ClaimedRow | None = None) -> "PlatformRefusal":
        """Returns what the platform said; `row` where it was said of one row."""
        if failure.status in GONE and not names_user:
            return cls(failure.status, "", gone=True)
        text = str(failure)[:LONGEST_REASON]
        if row is not None:
            text = _without(text, row.platform_user_id)
        return cls(failure.status, _PARTICULAR.sub("#", text), gone=False)

    @property
    def least(self) -> int:
        """Of how many rows, one by one, it must have been said before it may be said of everybody."""
        return LEAST_GONE if self.gone else LEAST


def refusal_of(failure: IntegrationError) -> RefusedError:
    """Returns the refusal that a failure becomes, where it was tried again for too long."""
    refusal = RefusedError(str(failure))
    refusal.status, refusal.excerpt, refusal.of_one_row = failure.status, failure.excerpt, failure.of_one_row
    return refusal


def _without(text: str, word: str) -> str:
    """Returns the text with `#` for a word, where it is not a part of a longer one."""
    pieces = text.split(word) if word else [text]
    kept = pieces[0]
    for piece in pieces[1:]:
        is_part = _is_letter(kept[-1:]) or _is_letter(piece[:1])
        kept += (word if is_part else "#") + piece
    return kept


def _is_letter(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


@dataclass(slots=True)
class RefusalHistory:
    """What has become of an activation's rows, as far as this process sent them.

    `run`: the rows refused one by one in the same words since a row was last accepted. `refused`: those before.
    Shared by the threads of a process; a lost count does no harm.
    """

    accepted: int = 0
    refused: int = 0
    words: PlatformRefusal | None = None
    run: list[Key] = field(default_factory=list)

    def note_accepted(self, rows: int) -> None:
        self.accepted += rows
        if self.run:
            self.refused += len(self.run)
            self.run = []

    def note_refused(self, key: Key, words: PlatformRefusal) -> None:
        if words != self.words:
            self.refused += len(self.run)
            self.words, self.run = words, []
        if key not in self.run:
            self.run.append(key)

    @property
    def is_everybodys(self) -> bool:
        """Whether so many in a row are hardly refused for their own sake.

        Where a share `p` of all rows is bad, so long a run of bad ones comes about `tried * p ** run` times.
        """
        if self.words is None or len(self.run) < self.words.least:
            return False
        tried = self.accepted + self.refused + 1
        share = (self.refused + 1) / (tried + 1)
        return self.words.gone or tried * share ** len(self.run) < DOUBT


@dataclass(slots=True)
class ClaimRefusals:
    """The refusals of one activation within one claim, as long as nothing of it was accepted.

    `parts`: how many parts of several rows, and rows, were refused in the words of the last one. `suspects`: rows
    refused alone, of which it is not known yet whose refusal that is.
    """

    words: PlatformRefusal | None = None
    parts: int = 0
    suspects: list[tuple[ClaimedRow, IntegrationError]] = field(default_factory=list)

    def note(self, words: PlatformRefusal) -> None:
        self.parts = self.parts + 1 if words == self.words else 1
        self.words = words

    @property
    def both_halves(self) -> bool:
        """Whether a part and both of its halves were refused in the same words."""
        return self.parts >= PARTS
