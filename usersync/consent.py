"""Consent: what the signals of a request say, and whether its data may be kept.

Signals: `gdpr` and `gdpr_consent` (TCF v2), `us_privacy`, `gpp` and `gpp_sid`, and the header `Sec-GPC`.
Each says yes, no or nothing; one no is enough. An empty one is none.

- off: nothing is judged.
- when present: a no is obeyed, everything else is allowed. What cannot be read says nothing, but
  `gdpr=1` says that consent is needed, so it is a no without a string that gives it.
- required: at least one yes is needed: consent, `gdpr=0`, or a US signal that could opt out and does not.
  What cannot be read is refused by name, so that whoever sends it learns of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from core.consent_mode import ConsentMode
from core.errors import InvalidParameterError
from core.patterns import whole
from core.query import Parameters
from usersync import gpp, tcf
from usersync.bits import UnreadableSignalError

CONSENT_PARAMETERS = frozenset({"gdpr", "gdpr_consent", "us_privacy", "gpp", "gpp_sid"})

_ORDERED = tuple(sorted(CONSENT_PARAMETERS))
_ENCODED = frozenset(name.encode() for name in CONSENT_PARAMETERS)
_US_PRIVACY = whole(r"1[YNyn-]{3}")
_SECTION_ID = whole(r"-1|[0-9]{1,3}+")
_MOST_SECTIONS = 2

MOST_CHARACTERS = 4000
"""Of all signals together: they go out twice, and with more the address outgrows what servers take."""

T = TypeVar("T")
Signals = Mapping[str, str]
_NONE: Signals = {}
Verdict = bool | None
"""Yes, no, or nothing said."""


@dataclass(frozen=True, slots=True)
class ConsentJudge:
    """`vendor`: our id in the TCF's list of vendors, which must have consent too; None: only purposes are judged."""

    vendor: int | None = None

    def permits(self, mode: ConsentMode, values: Parameters, *, gpc: bool) -> bool:
        """Whether data may be kept. Raises InvalidParameterError for an unreadable signal where consent is required."""
        if mode is ConsentMode.OFF:
            return True
        required = mode is ConsentMode.REQUIRED
        if CONSENT_PARAMETERS.isdisjoint(values):
            return not gpc and not required
        verdict = _SignalReader(values, required, self.vendor).verdict()
        return not gpc and verdict is not False and (verdict is True or not required)


def passed_on(values: Parameters) -> Signals | None:
    """Returns the signals of a request as they came, or None where they cannot be passed on unmodified."""
    found = {name: values[name] for name in _ORDERED if name in values}
    if not found:
        return _NONE
    texts = {name: value for name, value in found.items() if value is not None}
    if len(texts) < len(found) or sum(map(len, texts.values())) > MOST_CHARACTERS:
        return None
    return texts


def carried(raw_query: bytes) -> bytes:
    """Returns the signals of a query string as they came, each after an `&`: for the next address of a redirect."""
    return b"".join(b"&" + part for part in raw_query.split(b"&") if part.partition(b"=")[0] in _ENCODED)


@dataclass(frozen=True, slots=True)
class _SignalReader:
    values: Parameters
    required: bool
    vendor: int | None

    def verdict(self) -> Verdict:
        return _together(self._gdpr(), self._read("us_privacy", _us_privacy), self._gpp())

    def _read(self, name: str, parse: Callable[[str], T]) -> T | None:
        """What a parameter says; None where it is absent, empty or unreadable. Raises InvalidParameterError."""
        text = self.values.get(name, "")
        if text == "":
            return None
        return self._understood(name, lambda: parse(_utf8(text)))

    def _understood(self, name: str, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except UnreadableSignalError:
            if self.required:
                raise InvalidParameterError(name) from None
            return None

    def _gdpr(self) -> Verdict:
        applies = self._read("gdpr", _flag)
        if applies is False:
            return True
        consent = self._read("gdpr_consent", self._tcf)
        return False if applies and consent is None else consent

    def _tcf(self, text: str) -> bool:
        return tcf.allows(text, self.vendor)

    def _gpp(self) -> Verdict:
        in_force = self._read("gpp_sid", _section_ids)
        sections = self._read("gpp", gpp.sections) or {}
        named = sections if in_force is None else in_force
        verdicts = [self._section(section, sections.get(section, "")) for section in named]
        if in_force and gpp.TCF_EU in in_force and verdicts[in_force.index(gpp.TCF_EU)] is None:
            return False  # as `gdpr=1` without a string
        return _together(*verdicts)

    def _section(self, section: int, text: str) -> Verdict:
        if not text:
            return None
        return self._understood("gpp", lambda: self._told_by(section, text))

    def _told_by(self, section: int, text: str) -> Verdict:
        if section == gpp.TCF_EU:
            return self._tcf(text)
        return _us_privacy(text) if section == gpp.US_PRIVACY else gpp.us_allows(section, text)


def _together(*verdicts: Verdict) -> Verdict:
    if False in verdicts:
        return False
    return True if True in verdicts else None


def _utf8(text: str | None) -> str:
    if text is None:
        raise UnreadableSignalError
    return text


def _flag(text: str) -> bool:
    if text not in {"0", "1"}:
        raise UnreadableSignalError
    return text == "1"


def _us_privacy(text: str) -> Verdict:
    """The third character: opted out of the sale of personal information, not opted out, or not applicable."""
    if not _US_PRIVACY(text):
        raise UnreadableSignalError
    return {"Y": False, "N": True, "-": None}[text[2].upper()]


def _section_ids(text: str) -> list[int]:
    """The sections in force; 0 and -1 stand for none. At most two."""
    ids = text.split(",")
    if len(ids) > _MOST_SECTIONS or not all(_SECTION_ID(one) for one in ids):
        raise UnreadableSignalError
    return [int(one) for one in ids]
