"""What the command line starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.environment import PROJECT_ROOT


@pytest.mark.parametrize("words", [["create-api-key", "--help"], ["--help"]])
def test_command__asked_for_help__starts_no_services(tmp_path: Path, words: list[str]) -> None:
    environment = {**os.environ, "DMPHUB_HOME": str(tmp_path / "home"), "DATABASE_URL": "", "REDIS_URL": ""}

    done = subprocess.run(
        [sys.executable, "-m", "dmphub", *words],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.rglob("*") if "postgres" in path.name or "redis" in path.name] == []
