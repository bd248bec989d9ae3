"""A pytest plugin (`-p tests.support.services`): a real PostgreSQL and Redis for the time of the run.

What DATABASE_URL and REDIS_URL of the environment name is used; what they leave out is started in a home
that is thrown away afterwards. A developer's `.env` and data are never touched. Where tests are spread, each process
that runs some has a home and services of its own.
"""

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from core import environment, garbage
from local import embedded
from local.embedded import postgres
from tests.support import spreading

_stack = ExitStack()
NEVER_SUSPECT = "99999999"
"""Worlds draw few ids for many browsers. Tests of suspect ids set the limits themselves."""

# what worlds assert is explained as in tests
pytest.register_assert_rewrite(*(f"tests.support.pipeline_{name}" for name in ("checks", "machine", "model", "world")))


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    """Before pytest-django loads the settings, which read the environment."""
    # In the background of a script SIGINT is ignored, by all that we start too; tests send it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    home = _throw_away_home()
    _isolate(home)
    if not spreading.only_hands_out(early_config):
        settings = environment.read(None)
        _stack.callback(embedded.erase, settings)
        with _nothing_to_survive():
            _stack.enter_context(embedded.session(settings))
    yield


def pytest_collection_finish() -> None:
    """The modules of all rooms are a million objects, which no collection need look through again."""
    garbage.collect_rarely()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Whoever handed the tests out waits for this, but not for long afterwards."""
    _stack.close()


def pytest_unconfigure() -> None:
    _stack.close()


@contextmanager
def _nothing_to_survive() -> Iterator[None]:
    """A server that is thrown away writes nothing to disk in time. Those that tests start themselves do."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("fsync", "full_page_writes"):
            patch.setitem(postgres.SETTINGS, name, "off")
        yield


def _throw_away_home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="dmphub-tests-"))
    home.chmod(0o755)  # run as root, PostgreSQL switches to an account that must be able to pass
    _stack.callback(shutil.rmtree, home, ignore_errors=True)
    return home


def _isolate(home: Path) -> None:
    """Every variable that is not set is set empty, which wins over the developer's `.env`."""
    example = (environment.PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
    for name in re.findall(r"^([A-Z_]+)=", example, re.MULTILINE):
        os.environ.setdefault(name, "")
    os.environ["DMPHUB_HOME"] = str(home)
    for name in ("DMPHUB_SUSPECT_PER_MINUTE", "DMPHUB_SUSPECT_PER_DAY"):
        os.environ[name] = NEVER_SUSPECT
    if os.environ["DATABASE_URL"] and not os.environ["DMPHUB_SECRET_KEYS"]:
        os.environ["DMPHUB_SECRET_KEYS"] = Fernet.generate_key().decode()
