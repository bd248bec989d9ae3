"""A file being written: packed in a stream, with a list beside it of the rows that stand in it.

Both are on disk, so that memory does not grow with the file.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from activation.delivery.claims import Row
from activation.delivery.file_claims import Due
from integrations.connectors.files import Destination

LEVEL = 1  # of packing: the time counts more than the last tenth of size
PIECE = 1 << 18
NOBODY = UUID(int=0)


@dataclass
class Writer:
    """One file for one destination and partition. `batch` is its batch's id, and the claim of its rows."""

    folder: Path
    batch: UUID
    destination: Destination
    partition: str
    name: str
    begun: datetime
    lines: int = 0
    rows: int = 0
    size: int = 0
    activations: set[int] = field(default_factory=set)
    _pending: list[bytes] = field(default_factory=list)
    _waiting: int = 0

    def __post_init__(self) -> None:
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        self._file = self.path.open("wb")
        self._list = self._list_path.open("w", encoding="utf-8")

    @property
    def path(self) -> Path:
        return self.folder / f"{self.batch}.gz"

    @property
    def _list_path(self) -> Path:
        return self.folder / f"{self.batch}.rows"

    def write(self, text: bytes) -> None:
        """Some lines (or the header)."""
        self._pending.append(text)
        self._waiting += len(text)
        if self._waiting >= PIECE:
            self._pack()

    def note(self, rows: Iterable[Due]) -> None:
        """These rows stand in it."""
        noted = []
        for row, wanted in rows:
            noted.append(
                f"{row.bucket} {row.activation} {int(wanted)} {_before(row)} {json.dumps(row.platform_user_id)}\n"
            )
            self.activations.add(row.activation)
        self.rows += len(noted)
        self._list.writelines(noted)

    def close(self) -> None:
        self._pack()
        self._put(self._packer.flush())
        self._file.close()
        self._list.close()

    def noted(self, size: int) -> Iterator[tuple[bool, list[Row]]]:
        """The rows that stand in it, so many at a time, with what was wanted of them."""
        pages: dict[bool, list[Row]] = {True: [], False: []}
        with self._list_path.open(encoding="utf-8") as lines:
            for line in lines:
                bucket, activation, wanted, before, known_as = line.split(" ", 4)
                page = pages[wanted == "1"]
                known = None if before == "-" else before == "1"
                page.append(Row(int(bucket), int(activation), json.loads(known_as), NOBODY, 1, known))
                if len(page) >= size:
                    yield wanted == "1", page
                    page.clear()
        yield from ((wanted, page) for wanted, page in pages.items() if page)

    def discard(self) -> None:
        """Nothing of it is needed any more."""
        self._file.close()
        self._list.close()
        self.path.unlink(missing_ok=True)
        self._list_path.unlink(missing_ok=True)

    def _pack(self) -> None:
        self._put(self._packer.compress(b"".join(self._pending)))
        self._pending.clear()
        self._waiting = 0

    def _put(self, packed: bytes) -> None:
        self._file.write(packed)
        self.size += len(packed)


def _before(row: Row) -> str:
    return "-" if row.before is None else str(int(row.before))
