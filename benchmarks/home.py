"""A home that is thrown away: embedded PostgreSQL and Redis, never anybody's data."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core import environment, garbage
from local import embedded
from local.embedded import Services, copies


@contextmanager
def throw_away_home() -> Iterator[Path]:
    """The home of this process and its children, and no other variable set: to be entered before Django is."""
    home = Path(tempfile.mkdtemp(prefix="dmphub-benchmarks-"))
    home.chmod(0o755)  # run as root, PostgreSQL switches to an account that must be able to pass
    example = (environment.PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
    for name in re.findall(r"^([A-Z_]+)=", example, re.MULTILINE):
        os.environ[name] = ""
    os.environ |= {
        "DMPHUB_HOME": str(home),
        "DMPHUB_ALLOW_PRIVATE_TARGETS": "1",
        "DJANGO_SETTINGS_MODULE": "dmphub.settings",
    }
    try:
        yield home
    finally:
        forget_data()
        shutil.rmtree(home, ignore_errors=True)


def forget_data() -> None:
    """The next benchmark starts with an empty database."""
    embedded.erase(environment.read(None))


def begin_empty() -> None:
    """Give the home a database with empty tables: a copy of the one that was migrated for the first benchmark."""
    from django.core.management import call_command
    from django.db import connections

    connections.close_all()  # of the database before this one
    here = environment.read(None)
    migrated = here.home / "migrated"
    if not migrated.exists():
        with embedded.session(here):
            call_command("migrate", verbosity=0, interactive=False)
            connections.close_all()
        copies.keep_copy(here, migrated)
    else:
        copies.start_from(here, migrated)


@contextmanager
def services() -> Iterator[Services]:
    """PostgreSQL, with empty tables, and Redis."""
    from django.db import connections

    begin_empty()
    with embedded.session(environment.read(None)) as found:
        garbage.collect_rarely()  # as the hub's processes do: what is measured here is their work
        try:
            yield found
        finally:
            connections.close_all()
    forget_data()
