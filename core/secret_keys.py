"""The secret keys of an installation that was given none: made once, kept in a file only its owner reads."""

import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet


def generated_keys(path: Path) -> tuple[str, ...]:
    """The keys in the file, newest first, one a line; made where missing, the same for all who ask."""
    try:
        return _read(path)
    except FileNotFoundError:
        _publish(path, Fernet.generate_key().decode())
        return _read(path)


def _read(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text(encoding="ascii").split())


def _publish(path: Path, key: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{key}\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails where another process came first: whole or not at all
    except FileExistsError:
        pass
    finally:
        draft.unlink()
