"""A reader of audience files, written from 004_61881f248519e6eb.txt alone: it shares no line with what writes them."""

import gzip
import re
from dataclasses import dataclass, field

NAME = re.compile(r"[^_\s]+(_[^_\s]+)*_\d{12}\.log\.gz")
FIELDS = (
    "Version",
    "FileIdentifier",
    "DateCreated",
    "UserNamespace",
    "UserTableId",
    "SegmentNamespace",
    "Mobile",
    "HashSegments",
)
MOST = 2_147_483_647


class BrokenRuleError(ValueError):
    """The file breaks a rule; the message names it."""


def rule(holds: object, broken: str) -> None:
    if not holds:
        raise BrokenRuleError(broken)


@dataclass
class ParsedRow:
    """`statements`: (segment, when) in order; a segment of None stands for all of them."""

    user: str
    statements: list[tuple[str | None, int]]


@dataclass
class ParsedFile:
    header: dict[str, str]
    rows: list[ParsedRow] = field(default_factory=list)

    def replay(self, held: dict[str, set[str]]) -> None:
        """Do to `held` (user → segments) what MediaMath would do as it processes the file."""
        for row in self.rows:
            segments = held.setdefault(row.user, set())
            for segment, when in row.statements:
                if segment is None:
                    segments.clear()
                elif when == -1:
                    segments.discard(segment)
                else:
                    segments.add(segment)


def read(name: str, compressed: bytes) -> ParsedFile:
    """The file, every rule of the document checked."""
    rule(len(compressed) <= 4 * 10**9, "larger than 4 GB")
    rule(NAME.fullmatch(name), f"name {name}")
    try:
        text = gzip.decompress(compressed).decode("ascii")
    except (OSError, EOFError, UnicodeDecodeError) as wrong:
        raise BrokenRuleError(f"not gzip of ASCII: {wrong}") from wrong
    rule("\r" not in text, "line ends other than LF")
    rule(text.endswith("\n"), "the last line has no end")
    head, blank, rest = text.partition("\n\n")
    rule(blank, "no blank line after the header")
    header = _header(head, name)
    hashed = header["HashSegments"] == "1"
    return ParsedFile(header, _rows(rest.splitlines(keepends=True), hashed))


def _header(head: str, name: str) -> dict[str, str]:
    pairs = [line.partition(": ") for line in head.split("\n")]
    rule(all(colon for _, colon, _ in pairs), "a header line without a colon")
    header = {key: value for key, _, value in pairs}
    rule(len(header) == len(pairs), "a header field twice")
    rule([key for key in FIELDS if key in header] == [key for key, _, _ in pairs], "header fields, or their order")
    rule(header.keys() >= set(FIELDS) - {"UserTableId"}, "a header field is missing")
    rule(header["Version"] == "3", "version")
    rule(header["FileIdentifier"] == name, "FileIdentifier is not the name")
    rule(re.fullmatch(r"\d{10}", header["DateCreated"]), "DateCreated")
    rule(header["Mobile"] in {"0", "1"} and header["HashSegments"] in {"0", "1"}, "flags")
    rule(re.fullmatch(r"[A-Za-z0-9]{2}", header["SegmentNamespace"]), "SegmentNamespace")
    rule((header["UserNamespace"] == "mm") == ("UserTableId" not in header), "UserTableId")
    return header


def _rows(lines: list[str], hashed: bool) -> list[ParsedRow]:
    rows: list[ParsedRow] = []
    lengths: dict[str, int] = {}
    for line in lines:
        rule(len(line) - 1 < 8000, "a line of 8,000 characters or more")
        user, *statements = line.removesuffix("\n").split(" ")
        rule(user and statements, f"a line without a user or without statements: {line[:40]}")
        if user in lengths:
            shortest = len(min(statements, key=len)) + 1
            rule(lengths[user] + shortest >= 8_000, f"{user} on two lines where one would hold it")
        lengths[user] = len(line) - 1
        rule(len({one.partition(":")[0] for one in statements}) == len(statements), "a segment twice on a line")
        rows.append(ParsedRow(user, [_statement(text, place, hashed) for place, text in enumerate(statements)]))
    return rows


def _statement(text: str, place: int, hashed: bool) -> tuple[str | None, int]:
    if text == "-1":
        rule(place == 0, "a bare -1 that does not follow the id")
        return None, -1
    segment, colon, when = text.partition(":")
    rule(colon and re.fullmatch(r"-1|0|\d{9,10}", when), f"statement {text}")
    if not hashed:
        rule(segment.isdecimal() and 1 <= int(segment) <= MOST, f"segment {segment}")
    return segment, int(when)
