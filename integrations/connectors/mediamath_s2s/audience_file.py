"""The grammar of MediaMath's audience file, version 3 (004_61881f248519e6eb.txt): a header, a blank line, rows.

A row is a user id and what happens to it: `10001:0` joins the segment now, `10001:1406850980` at that time (past
or future), `10001:-1` leaves it; a bare `-1` leaves all segments, and stands before those that are joined
instead. Text is ASCII, lines end with LF and are shorter than 8,000 characters.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from core.patterns import whole

VERSION = 3
LONGEST_LINE = 7_999  # characters before the line end: the document asks for fewer than 8,000
NOW, LEAVE = 0, -1
MOST_SEGMENT = 2_147_483_647
# joined if nothing else is, because the format has no row that only leaves all segments
NO_SEGMENT = 9_999_999
LEAVE_ALL = "-1"

is_user_id = whole(r"[!-~]{1,256}+")
is_segment_id = whole(r"[A-Za-z0-9_.-]{1,64}+")

SegmentId = int | str


@dataclass(frozen=True, slots=True)
class FileHeader:
    """The header of a file. `user_namespace` is mm, or the partner's, which then has a `user_table_id`."""

    file_name: str
    created_at: int  # unix
    segment_namespace: str
    user_namespace: str = "mm"
    user_table_id: str = ""
    mobile: bool = False
    hash_segments: bool = False

    def encode(self) -> bytes:
        """Return the header and the blank line that ends it."""
        fields: list[tuple[str, object]] = [
            ("Version", VERSION),
            ("FileIdentifier", self.file_name),
            ("DateCreated", self.created_at),
            ("UserNamespace", self.user_namespace),
            ("UserTableId", self.user_table_id),
            ("SegmentNamespace", self.segment_namespace),
            ("Mobile", int(self.mobile)),
            ("HashSegments", int(self.hash_segments)),
        ]
        written = [f"{name}: {value}\n" for name, value in fields if value != ""]
        return "".join([*written, "\n"]).encode()


def rows(user_id: str, changes: Iterable[tuple[SegmentId, int]], *, leave_all: bool = False) -> Iterator[bytes]:
    """Yield the line of one user, or as few lines as can hold all changes. Each line begins with the id.

    `changes` are segments with the time of joining (unix, or `NOW`) or `LEAVE`. With `leave_all` the user first leaves
    every segment; the joined ones follow on the same line.
    """
    statements = [f"{segment}:{when}" for segment, when in changes]
    if leave_all:
        statements = [LEAVE_ALL, *(statements or [f"{NO_SEGMENT}:{NOW}"])]
    line = user_id
    for statement in statements:
        if len(line) + 1 + len(statement) > LONGEST_LINE:
            yield f"{line}\n".encode()
            line = user_id
        line = f"{line} {statement}"
    if line != user_id:
        yield f"{line}\n".encode()


def file_name(parts: Iterable[str], at: datetime) -> str:
    """Return `Agency_Partner_YYYYMMDDHHMM.log.gz`; for private data, the client's name stands before the time."""
    named = "_".join(part for part in parts if part)
    return f"{named}_{at.astimezone(UTC):%Y%m%d%H%M}.log.gz"
