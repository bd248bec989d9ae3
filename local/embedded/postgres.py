"""PostgreSQL 18 as a child process of this one, reached by a Unix socket only."""

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg

from local.embedded.account import give, naming_account
from local.embedded.binaries import postgres_binaries
from local.embedded.leftovers import LeftoverProcesses
from local.embedded.places import Places
from local.supervisor.child import ProcessSpec

NAME = "dmphub"  # of the database and of the role that owns it

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # durability: what was acknowledged is on disk
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # memory: shared pages count in every process that touches them, and each is to stay below 200 MB
    "shared_buffers": "128MB",
    "wal_buffers": "16MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "2GB",
    # many small commits: few, long checkpoints; nobody replicates from an embedded server
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "wal_compression": "off",
    "checkpoint_timeout": "15min",
    "max_wal_size": "4GB",
    "min_wal_size": "1GB",  # segments are recycled: a new one stalls a commit for tens of milliseconds
    "wal_init_zero": "off",
    # of a large table most pages are not in memory: others make room for them, so that absorb need not
    "bgwriter_delay": "20ms",
    "bgwriter_lru_maxpages": "1000",
    "bgwriter_lru_multiplier": "4",
    # queue tables live on being vacuumed at once
    "autovacuum_naptime": "10s",
    "autovacuum_work_mem": "32MB",
    "autovacuum_vacuum_cost_limit": "2000",
    "autovacuum_vacuum_scale_factor": "0.05",
    # plans for short look-ups on a disk without moving parts
    "jit": "off",
    "random_page_cost": "1.1",
    "io_workers": "2",
    # a stopped worker gives its buckets back
    "idle_in_transaction_session_timeout": "60s",
    # the log holds no personal data: no statements, no values
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "log_line_prefix": "postgres %m [%p] ",
}


def postgres_spec(places: Places, ready: Callable[[], bool]) -> ProcessSpec:
    """The server of a home, whose data is made here if need be."""
    binaries = postgres_binaries(places.account)
    data = _data_folder(places, binaries)
    return ProcessSpec(
        name="postgres",
        argv=(str(binaries / "postgres"), "-D", str(data), *_arguments(places.sockets)),
        environment=_ENVIRONMENT,
        folder=data,
        account=places.account,
        stop_signal=signal.SIGINT,  # fast shutdown: sessions are ended, then a checkpoint
        death_signal=signal.SIGINT,
        stop_rank=2,
        stop_seconds=3.0,
        may_start=partial(_may_start, data, LeftoverProcesses("postgres", data, signal.SIGINT)),
        ready=ready,
    )


def answers(database_url: str) -> bool:
    """Whether the server takes connections (not while it still recovers from a crash)."""
    try:
        psycopg.connect(database_url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


def _arguments(sockets: Path) -> list[str]:
    settings = SETTINGS | {"unix_socket_directories": _quoted(sockets)}
    return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]


def _quoted(folder: Path) -> str:
    """The setting is a list: a folder with blanks or commas needs quotes."""
    return '"' + str(folder).replace('"', '""') + '"'


def _may_start(data: Path, occupants: LeftoverProcesses) -> bool:
    """Once nobody works in the folder, a pid file in it is a dead server's, whoever has that pid today."""
    if not occupants.gone():
        return False
    (data / "postmaster.pid").unlink(missing_ok=True)
    return True


def _data_folder(places: Places, binaries: Path) -> Path:
    """The data folder; it is made aside and takes its name when it is complete."""
    folder = places.postgres.resolve()
    data, draft = folder / "data", folder / "draft"
    if not data.exists():
        shutil.rmtree(draft, ignore_errors=True)
        with _work_folder(folder) as work:
            _initialise(binaries, work / "data")
            (work / "data").rename(draft)
        if places.account is not None:
            give(draft, places.account)
        draft.rename(data)
    return data


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """A folder that `initdb` can write to, beside the one that only PostgreSQL's own user may enter."""
    account, work = naming_account(), folder.with_name(f"{folder.name}-initdb")
    shutil.rmtree(work, ignore_errors=True)  # of a start that was interrupted
    work.mkdir(mode=0o700)
    if account is not None:
        os.chown(work, account.uid, account.gid)
    yield work
    work.rmdir()


_INITDB = ("--auth-local=trust", "--auth-host=reject", "--encoding=UTF8")
_LOCALE = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_OURS = {"pg_hba.conf": "local all all trust\n", "postgresql.auto.conf": ""}
_SINGLE = ("-c", "wal_level=minimal", "-c", "max_wal_senders=0", "template1")


def _initialise(binaries: Path, data: Path) -> None:
    folder = ("-D", str(data))
    _run(data.parent, (str(binaries / "initdb"), *folder, "-U", NAME, *_INITDB, *_LOCALE))
    _run(data.parent, (str(binaries / "postgres"), "--single", *folder, *_SINGLE), f"CREATE DATABASE {NAME};\n")
    for name, text in _OURS.items():  # nobody else had a hand in who may connect
        (data / name).write_text(text, encoding="utf-8")


def _run(folder: Path, command: tuple[str, ...], text: str = "") -> None:
    account = naming_account()
    done = subprocess.run(
        command,
        input=text,
        check=False,
        capture_output=True,
        text=True,
        env=_ENVIRONMENT,
        cwd=folder,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")
