"""A strict reader of MediaMath's audience file (004_61881f248519e6eb.txt): the first broken rule, and its line.

Where the document says nothing: header fields may have any order; a line names a segment once; a second line of a user
is right only if both together would be too long for one line.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from sandbox.files import BadFileError, lines_of

NAME = re.compile(r"[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+){0,2}_(\d{12})\.log\.gz", re.ASCII)
GUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
LARGEST_SEGMENT = 2_147_483_647
LINE_LIMIT = 8000
NOWHERE = "9999999"
REMOVE = -1
FIELDS = {
    "Version": r"3",
    "FileIdentifier": r".+",
    "DateCreated": r"\d{10}",
    "UserNamespace": r"[A-Za-z]{2}",
    "UserTableId": r"\d+",
    "SegmentNamespace": r"[A-Za-z]{2}",
    "Mobile": r"[01]",
    "HashSegments": r"[01]",
}
OPTIONAL = {"UserTableId"}


@dataclass(slots=True, frozen=True)
class UserRow:
    """One row. `clear` removes the user from all segments first. The timestamp 0 means now, -1 removes."""

    userid: str
    clear: bool
    segments: tuple[tuple[str, int], ...]


@dataclass(slots=True, frozen=True)
class AudienceFile:
    namespace: str
    mobile: bool
    loads: list[UserRow]


def read_file(name: str, content: bytes) -> AudienceFile:
    """Return the content of a file. `name` has no folder. Raises `BadFileError` if a rule is broken."""
    _check_name(name)
    lines = lines_of(content)
    end = lines.index("") if "" in lines else len(lines)
    header = _header(lines[:end])
    if end == len(lines):
        raise BadFileError("no blank line after the header", end)
    _check_header(header, name)
    reader = _RowReader(own_ids=header["UserNamespace"] == "mm", hashed=header["HashSegments"] == "1")
    loads = [reader.read(number, line) for number, line in enumerate(lines[end + 1 :], end + 2)]
    return AudienceFile(header["SegmentNamespace"], header["Mobile"] == "1", loads)


def _check_name(name: str) -> None:
    found = NAME.fullmatch(name)
    if found is None:
        raise BadFileError("the name is not AgencyName_PartnerName_YYYYMMDDHHMM.log.gz")
    try:
        datetime.strptime(f"{found[1]}+0000", "%Y%m%d%H%M%z")
    except ValueError as error:
        raise BadFileError("the name has no time YYYYMMDDHHMM") from error


def _header(lines: list[str]) -> dict[str, str]:
    header: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        field, colon, value = line.partition(": ")
        if not colon or field not in FIELDS:
            raise BadFileError("not a header field; a blank line ends the header", number)
        if field in header:
            raise BadFileError(f"{field} comes twice", number)
        if not re.fullmatch(FIELDS[field], value, re.ASCII):
            raise BadFileError(f"{field}: {value!r} is not allowed", number)
        header[field] = value
    return header


def _check_header(header: dict[str, str], name: str) -> None:
    missing = [field for field in FIELDS if field not in header and field not in OPTIONAL]
    if missing:
        raise BadFileError(f"the header lacks {', '.join(missing)}")
    if header["FileIdentifier"] != name:
        raise BadFileError("FileIdentifier is not the file's name", list(header).index("FileIdentifier") + 1)
    if "UserTableId" in header and header["UserNamespace"] == "mm":
        raise BadFileError("UserTableId goes with a namespace other than mm", list(header).index("UserTableId") + 1)


class _RowReader:
    """Reads row by row, and remembers the length of each user's last line."""

    def __init__(self, *, own_ids: bool, hashed: bool) -> None:
        self._own_ids = own_ids
        self._hashed = hashed
        self._lengths: dict[str, int] = {}

    def read(self, number: int, line: str) -> UserRow:
        if len(line) >= LINE_LIMIT:
            raise BadFileError(f"{len(line)} characters: a line has fewer than {LINE_LIMIT}", number)
        userid, *tokens = line.split(" ")
        self._check_id(number, userid)
        self._check_not_split(number, userid, line)
        clear = tokens[:1] == [str(REMOVE)]
        loads = [self._segment(number, token) for token in tokens[clear:]]
        if not loads:
            raise BadFileError("no segment (removal from all names one that does not exist)", number)
        if len({segment for segment, _ in loads}) < len(loads):
            raise BadFileError("the same segment twice", number)
        return UserRow(userid, clear, tuple(loads))

    def _check_id(self, number: int, userid: str) -> None:
        if self._own_ids and not GUID.fullmatch(userid):
            raise BadFileError(f"{userid[:60]!r} is not a MediaMath id (8-4-4-4-12)", number)
        if not userid or not userid.isprintable() or re.search(r"\s", userid):
            raise BadFileError("the user id is missing or has blanks", number)

    def _check_not_split(self, number: int, userid: str, line: str) -> None:
        key = userid.lower() if self._own_ids else userid
        before = self._lengths.get(key)
        if before is not None and before + len(line) - len(userid) < LINE_LIMIT:
            raise BadFileError("the same user on an earlier line that had room for this one", number)
        self._lengths[key] = len(line)

    def _segment(self, number: int, token: str) -> tuple[str, int]:
        segment, _, timestamp = token.partition(":")
        if not re.fullmatch(r"-1|0|[1-9]\d{0,10}", timestamp, re.ASCII):
            raise BadFileError(f"{token[:60]!r} is not <segment>:<timestamp>", number)
        if self._hashed:
            good = bool(segment) and segment.isprintable()
        else:
            numeric = re.fullmatch(r"\d{1,10}", segment, re.ASCII) is not None
            good = numeric and int(segment) <= LARGEST_SEGMENT
        if not good:
            raise BadFileError(f"segment {segment[:60]!r} is not allowed", number)
        return segment, int(timestamp)
