"""The edge's answers as they came over the wire, read strictly, and whether `docs/edge.md` names each of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.environment import PROJECT_ROOT
from tests.support.edge_client import COMMON

HEADING = "## Every status"
PARAMETER = "bad-<parameter>"
_LINE = re.compile(rb"HTTP/1\.1 (\d{3}) [ -~]+\r\n")
_FIELD = re.compile(rb"([a-z0-9-]+): ([^\r\n\0]*)\r\n")
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class NoAnswerError(Exception):
    """What came is no sequence of answers."""


@dataclass(frozen=True, slots=True)
class WireAnswer:
    """`fields`: names as they came, in lower case, with every value."""

    status: int
    fields: dict[str, list[str]]
    body: bytes

    @property
    def name(self) -> str:
        return ",".join(self.fields.get("x-dmp-status", []))


def answers_in(received: bytes, *, cut: bool, may_be_head: bool) -> Iterator[WireAnswer]:
    """`cut`: the end may be missing. `may_be_head`: an answer may have no body, whatever length it tells.

    Raises NoAnswerError.
    """
    while received:
        if received.startswith(_CONTINUE):
            received = received[len(_CONTINUE) :]
            continue
        answer, received = _first(received, may_be_head)
        if answer is None:
            if not cut:
                raise NoAnswerError(f"the last answer is not whole: {received[:200]!r}")
            return
        yield answer


def _first(received: bytes, may_be_head: bool) -> tuple[WireAnswer | None, bytes]:
    head, end, rest = received.partition(b"\r\n\r\n")
    if not end:
        return None, received
    text = head + b"\r\n"
    line = _LINE.match(text)
    if line is None:
        raise NoAnswerError(f"begins with no answer: {received[:200]!r}")
    fields: dict[str, list[str]] = {}
    found = list(_FIELD.finditer(text, line.end()))
    if b"".join(match.group() for match in found) != text[line.end() :]:
        raise NoAnswerError(f"fields that are none: {head!r}")
    for match in found:
        fields.setdefault(match[1].decode(), []).append(match[2].decode("latin-1"))
    length = int(fields.get("content-length", ["0"])[0])
    if may_be_head and (not rest or rest.startswith(b"HTTP/1.1 ")):
        length = 0
    if len(rest) < length:
        return None, received
    return WireAnswer(int(line[1]), fields, rest[:length]), rest[length:]


class DocumentedStatuses:
    """The table of `docs/edge.md` that names every status, with the HTTP statuses that each comes with."""

    def __init__(self) -> None:
        text = (PROJECT_ROOT / "docs" / "edge.md").read_text(encoding="utf-8")
        table = text.partition(HEADING)[2].partition("\n## ")[0]
        self._known: dict[str, set[int]] = {}
        for row in re.findall(r"^\| (`.+`) \| ([\d, ]+) \|", table, re.MULTILINE):
            for name in re.findall("`([^`]+)`", row[0]):
                self._known[name] = set(map(int, row[1].split(",")))

    def fault_of(self, answer: WireAnswer) -> str:
        """Returns what of the answer is not as it is documented; empty if nothing is."""
        name = PARAMETER if self._names_a_parameter(answer.name) else answer.name
        if answer.status not in self._known.get(name, ()):
            return f"{answer.status} {answer.name!r} is not documented"
        if any(answer.fields.get(field) != [value] for field, value in COMMON.items()):
            return f"{answer.name}: may be kept by caches"
        if answer.status >= 400 and ("set-cookie" in answer.fields or "location" in answer.fields):
            return f"{answer.status} {answer.name}: refused, but sets a cookie or redirects"
        if answer.status in {429, 503} and "retry-after" not in answer.fields:
            return f"{answer.status} {answer.name}: does not say when to try again"
        return ""

    def _names_a_parameter(self, name: str) -> bool:
        return name not in self._known and re.fullmatch("bad-[a-z0-9_]{1,16}", name) is not None
