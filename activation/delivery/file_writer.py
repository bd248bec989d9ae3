"""A file being written: packed in a stream, with a list beside it of the rows that stand in it.

Both are on disk, so that memory does not grow with the file.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from uuid import UUID

from activation.stores.file_rows import FileRow, IdList
from integrations.connectors.files import Destination

LEVEL = 1  # of packing: the time counts more than the last tenth of size


@dataclass
class FileWriter:
    """One file for one destination and partition; `size` in packed bytes, `batch` is its batch's id."""

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

    def __post_init__(self) -> None:
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
        self._file = self.path.open("wb")
        self._list = self._list_path.open("w", encoding="utf-8", newline="\n")

    @property
    def path(self) -> Path:
        return self.folder / f"{self.batch}.gz"

    @property
    def _list_path(self) -> Path:
        return self.folder / f"{self.batch}.rows"

    def begin(self, header: bytes) -> None:
        """Write the header, which stands before the first line."""
        self._put(self._packer.compress(header))

    def write(self, text: bytes) -> None:
        """Write whole lines."""
        self._put(self._packer.compress(text))
        self.lines += text.count(b"\n")

    def note(self, bucket: int, rows: list[str], activations: set[int]) -> None:
        """Note that these rows of a bucket stand in the file; each as `activation, wanted, id` with tabs between."""
        self._list.write("".join([f"{bucket}\t{row}\n" for row in rows]))
        self.rows += len(rows)
        self.activations |= activations

    def note_listed(self, bucket: int, listed: IdList) -> None:
        """As `note`, for a whole list of ids."""
        start = f"{bucket}\t{listed.activation}\t{listed.wanted:d}\t"
        self._list.write(start + listed.ids[:-1].replace("\n", f"\n{start}") + "\n")
        self.rows += listed.rows
        self.activations.add(listed.activation)

    def close(self) -> None:
        self._put(self._packer.flush())
        self._file.close()
        self._list.close()

    def noted(self, size: int) -> Iterator[list[FileRow]]:
        """Read the noted rows back, `size` at a time."""
        with self._list_path.open(encoding="utf-8", newline="\n") as lines:
            while page := [_read(line) for line in islice(lines, size)]:
                yield page

    def _put(self, packed: bytes) -> None:
        self._file.write(packed)
        self.size += len(packed)


def _read(line: str) -> FileRow:
    bucket, activation, wanted, known_as = line[:-1].split("\t", 3)
    return int(bucket), int(activation), wanted == "1", known_as
