"""The system user that PostgreSQL runs as, because it refuses to run as root: one that nothing else runs as.

Whoever runs as PostgreSQL's user can connect to it and read its files. So a hub that is started as root gives it a
number that no account has, one for each home. Only `initdb` asks for an account with a name: it runs as `nobody`, in a
folder that is given to PostgreSQL's own user before anything is stored.
"""

import hashlib
import os
import pwd
from pathlib import Path

from local.supervisor.child import Account

OWN_UIDS = range(61_184, 65_520)
"""Numbers that systemd too gives to services for which there is no account."""


def service_account(home: Path) -> Account | None:
    """The account to switch to, or None where this process's own will do. It stays the same for a home."""
    if os.geteuid() != 0:
        return None
    folder = home / "postgres"
    known = folder.stat().st_uid if folder.exists() else 0
    uid = known if known in OWN_UIDS else _free_uid(home)
    return Account(uid, uid)


def naming_account() -> Account | None:
    """The account with a name that `initdb` runs as."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def give(folder: Path, account: Account) -> None:
    """Make the folder, and all that is in it, the account's."""
    for place, folders, files in os.walk(folder):
        for name in (".", *folders, *files):
            os.chown(Path(place, name), account.uid, account.gid, follow_symlinks=False)


def _free_uid(home: Path) -> int:
    """A number without an account; which one follows from the home, so that homes have different ones."""
    first = int.from_bytes(hashlib.sha256(os.fsencode(home)).digest()[:4], "big")
    numbers = (OWN_UIDS[(first + step) % len(OWN_UIDS)] for step in range(len(OWN_UIDS)))
    return next(uid for uid in numbers if not _has_account(uid))


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def owner_uid(account: Account | None) -> int:
    return account.uid if account else os.geteuid()


def can_reach(account: Account | None, path: Path) -> bool:
    """Whether the account may pass through every folder above `path` (which need not exist)."""
    if account is None:
        return True
    return all(_may_enter(account, folder) for folder in path.parents if folder.exists())


def _may_enter(account: Account, folder: Path) -> bool:
    status = folder.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == account.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


def private_folder(path: Path, account: Account | None) -> Path:
    """Make a folder that only the account (and root) can enter; one that is someone else's is refused."""
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        _check_private(path, account)
        return path
    if account:
        os.chown(path, account.uid, account.gid)
    return path


def _check_private(path: Path, account: Account | None) -> None:
    status = path.lstat()
    if path.is_symlink() or not path.is_dir():
        raise PermissionError(f"{path} is in the way: it is not a folder")
    former = naming_account()
    if account and status.st_uid == os.geteuid():  # a start that was interrupted before it gave the folder away
        os.chown(path, account.uid, account.gid)
    elif account and former and status.st_uid == former.uid:  # of a version that ran PostgreSQL as this account
        give(path, account)
    elif status.st_uid != owner_uid(account):
        raise PermissionError(f"{path} belongs to another user")
    path.chmod(0o700)
