"""An importer in a process of its own: `python -m tests.support.importing PIXEL FILE FORMAT`.

DIE_AT is how many batches it brings to the database before it kills itself, in the middle of the next: with DIE_IN
`transaction` before that is committed, with `after` when it just has been. Prints the most memory it ever held, in MB.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import django

django.setup()

from pipeline.imports import progress, reading, services
from pipeline.imports.run import run
from profiles.models import Pixel
from tests.support.import_files import Hurry


class Deadly(Hurry):
    """Dies between two batches."""

    def __init__(self, left: int) -> None:
        self._left = left

    def wait(self) -> None:
        self._left -= 1
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _die_in_transactions(left: int) -> None:
    advance = progress.ImportProgress.advance

    def deadly(self: progress.ImportProgress, cursor: Any, **values: int) -> None:
        nonlocal left
        advance(self, cursor, **values)
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    patched: Any = progress.ImportProgress
    patched.advance = deadly


def main() -> None:
    reading.BATCH = 1_000
    pixel, file, format_ = sys.argv[1:]
    die_at = int(os.environ.get("DIE_AT", "1000000"))
    pace = Deadly(die_at)
    if os.environ.get("DIE_IN") == "transaction":
        _die_in_transactions(die_at)
        pace = Deadly(1_000_000)
    run(services.import_of(Path(file), Pixel.objects.get(pk=pixel), format_, dry_run=False), pace)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    print(int(status.partition("VmHWM:")[2].split()[0]) // 1024)


if __name__ == "__main__":
    main()
