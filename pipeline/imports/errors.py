"""What is wrong with a file's rows, in a file: `{"row", "message"}` a line, as valid as its import says."""

import json
from pathlib import Path
from types import TracebackType

MOST_BYTES = 64 * 1024 * 1024  # more are counted, but not listed


class ErrorFile:
    """Begins where the import's last committed batch left it: what was written after that is not valid."""

    def __init__(self, path: Path, valid: int) -> None:
        path.touch(mode=0o600)
        self._file = path.open("r+b")
        self._file.truncate(valid)
        self._file.seek(0, 2)

    def write(self, faults: list[tuple[int, str]]) -> int:
        """Add (row, message)s; answers the size of the file, which is on its way to the disk."""
        for row, message in faults:
            if self._file.tell() < MOST_BYTES:
                self._file.write(json.dumps({"row": row, "message": message}, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        return self._file.tell()

    def __enter__(self) -> "ErrorFile":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()
