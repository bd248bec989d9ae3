"""The system user that PostgreSQL runs as: it refuses to run as root."""

import os
import pwd
from pathlib import Path

from local.supervisor.child import Account


def service_account() -> Account | None:
    """The account to switch to, or None where this process's own will do."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


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
    if account and status.st_uid == os.geteuid():  # a start that was interrupted before it gave the folder away
        os.chown(path, account.uid, account.gid)
    elif status.st_uid != owner_uid(account):
        raise PermissionError(f"{path} belongs to another user")
    path.chmod(0o700)
