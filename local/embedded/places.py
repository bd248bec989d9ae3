"""Where an installation's embedded services keep their data and their sockets."""

import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from local.embedded.account import can_reach, private_folder
from local.supervisor.child import Account

LONGEST_SOCKET_PATH = 100  # bytes; the kernel's limit is 107
SHARED_FOLDER = Path("/var/lib/dmphub")  # for what PostgreSQL's account must reach and could not below the home


@dataclass(frozen=True, slots=True)
class Places:
    """The places of one home, for services that run as `account`."""

    home: Path
    account: Account | None

    @property
    def sockets(self) -> Path:
        """The folder of both sockets: below the home, or below /tmp where a socket cannot be there."""
        folder = self.home / "sockets"
        if _fits_a_socket(folder) and can_reach(self.account, folder):
            return folder
        return Path("/tmp") / f"dmphub-{_digest(self.home)}"  # noqa: S108  made private, refused if another's

    @property
    def postgres(self) -> Path:
        """The folder of the database, which may be a link to a place that PostgreSQL's account can reach."""
        return self.home / "postgres"

    @property
    def redis(self) -> Path:
        return self.home / "redis"

    @property
    def run(self) -> Path:
        return self.home / "run"

    def make(self) -> None:
        """Make every folder; never changes one that is not of this home."""
        for folder in (self.redis, self.run):
            folder.mkdir(parents=True, exist_ok=True)
        private_folder(self.sockets, self.account)
        if not self.postgres.is_symlink() and not self.postgres.exists() and not self._reachable():
            self.postgres.symlink_to(_outside_folder(self.home))
        private_folder(self.postgres.resolve(), self.account)

    def _reachable(self) -> bool:
        return can_reach(self.account, self.postgres)


def shared_folder() -> Path:
    """Make the folder outside of any home that every account may pass through."""
    if not SHARED_FOLDER.exists():
        SHARED_FOLDER.mkdir(parents=True)
        SHARED_FOLDER.chmod(0o755)  # whatever the umask
    return SHARED_FOLDER


def _fits_a_socket(folder: Path) -> bool:
    """Short enough for the kernel, and no comma: PostgreSQL's clients take that for the end of a host."""
    longest = os.fsencode(folder / ".s.PGSQL.5432.lock")
    return len(longest) <= LONGEST_SOCKET_PATH and b"," not in longest


def _outside_folder(home: Path) -> Path:
    """A name of its own every time, so that a new home never meets the data of a deleted one."""
    return shared_folder() / f"{_digest(home)}-{secrets.token_hex(4)}"


def _digest(home: Path) -> str:
    return hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
