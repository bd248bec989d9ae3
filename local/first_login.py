"""The first log-in to a new hub's console: an administrator with a generated password, kept in the hub's home."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction

NAME = "admin"
FILE = "console_password"


@dataclass(frozen=True, slots=True)
class FirstLogin:
    """`password_file` is None where people have made log-ins of their own."""

    username: str
    password_file: Path | None

    def password(self) -> str | None:
        return self.password_file.read_text().strip() if self.password_file else None


def ensure(home: Path | None = None) -> FirstLogin:
    """Make the administrator if there is no user yet. May be called at every start.

    The password is written (mode 0600) before the user is made: whatever stops the hub in between, the
    next start uses the same one.
    """
    path = (home or settings.ENVIRONMENT.home) / FILE
    with transaction.atomic():
        if not User.objects.exists():
            User.objects.create_superuser(NAME, password=_password(path))
            return FirstLogin(NAME, path)
    first = User.objects.filter(username=NAME).first()
    works = first is not None and path.is_file() and first.check_password(path.read_text().strip())
    return FirstLogin(NAME, path if works else None)


def _password(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    password = secrets.token_urlsafe(12)
    with os.fdopen(descriptor, "w") as file:
        file.write(password + "\n")
    return password
