"""What the command line starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from core.environment import PROJECT_ROOT

WORKER = """
import sys, dmphub.celery
from celery.fixups.django import DjangoWorkerFixup
from django.core import checks
DjangoWorkerFixup(dmphub.celery.app).validate_models()
from dmphub.management.commands import run_imports, sweep
assert run_imports.Command.requires_system_checks == sweep.Command.requires_system_checks == []
print(*sys.modules)
checks.run_checks(tags=["admin"])
print(*sys.modules)
"""
PAGES = {"dmphub.urls", "console.addresses", "console.admin", "api.addresses"}


def test_workers__import_no_pages__which_checks_of_the_admin_do() -> None:
    said = subprocess.run(
        [sys.executable, "-c", WORKER], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    worker, checked = (set(line.split()) for line in said.splitlines())

    assert worker & PAGES == set()
    assert "console.admin" in checked


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
