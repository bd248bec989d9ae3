"""The sandbox as a process, with the stand-ins of `parties` beside its own third parties."""

import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.parties.s2s import FOLDER
from tests.support.sandbox_process import SandboxProcess


class SandboxWithStandIns(SandboxProcess):
    """`files`: what is uploaded by SFTP, a folder for each user."""

    def __init__(self) -> None:
        super().__init__()
        self._command = [sys.executable, "-m", "tests.support.parties", "--port", "0"]
        self._folder = TemporaryDirectory(prefix="dmphub-street-")
        self.files = Path(self._folder.name)
        os.environ[FOLDER] = self._folder.name

    def reset(self) -> None:
        super().reset()
        for path in self.files.iterdir():
            shutil.rmtree(path)

    def account(self, party: str, account: str = "a") -> dict[str, Any]:
        """What it holds, and how many of its requests broke a rule (`rejected`)."""
        return self.state(account)[party][account]

    def segment(self, party: str, title: str, account: str = "a") -> set[str]:
        """Of the segment whose title begins so; nobody where there is none."""
        held = self.account(party, account)
        kinds = [held[kind] for kind in ("audiences", "groups", "pixels") if kind in held]
        for key, one in kinds[0].items():
            if str(one.get("title") or one.get("name") or key).startswith(title):
                return set(one["members"])
        return set()
