"""The installation's secret keys, and what is made with them: secrets at rest and signed tokens.

The keys are a ring apart from Django's SECRET_KEY: the newest encrypts and signs, all of them decrypt and verify.
Nothing here may log a key or a secret, and nothing imports Django: the edge uses this module.
"""

import hashlib
import hmac
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from cryptography.fernet import Fernet, MultiFernet

_TAG_BYTES = 16


class KeyRing:
    """Encrypts JSON values with the first of its Fernet keys, and decrypts what any of them encrypted."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, value: Any) -> bytes:
        return self._fernet.encrypt(msgspec.json.encode(value))

    def open(self, token: bytes) -> Any:
        """Raises `cryptography.fernet.InvalidToken` for a value that no key of the ring opens."""
        return msgspec.json.decode(self._fernet.decrypt(token))


class TokenSigner:
    """Signs what the hub says in an address, which anybody may tamper with and anybody may read.

    Signs with the first of its secrets, and opens what any of them signed.
    """

    def __init__(self, secrets: list[str]) -> None:
        self._keys = [hashlib.sha256(secret.encode()).digest() for secret in secrets]

    def sign(self, content: bytes) -> bytes:
        """Returns URL-safe base64 of tag and content, without padding."""
        return urlsafe_b64encode(_tag(self._keys[0], content) + content).rstrip(b"=")

    def open(self, text: str) -> bytes | None:
        """Returns the content, or None if the token was altered or is malformed."""
        try:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except ValueError:
            return None
        if urlsafe_b64encode(raw).rstrip(b"=").decode() != text:  # base64 has many spellings, only one is accepted
            return None
        tag, content = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        verdicts = [hmac.compare_digest(tag, _tag(key, content)) for key in self._keys]
        return content if any(verdicts) else None


def _tag(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:_TAG_BYTES]


def generated_keys(path: Path) -> tuple[str, ...]:
    """Read the keys of an installation that was given none: from a file, newest first, one a line.

    Makes the file, readable by its owner only, where it is missing. All processes that ask at once get the same key.
    """
    try:
        return _read_keys(path)
    except FileNotFoundError:
        _publish(path, Fernet.generate_key().decode())
        return _read_keys(path)


def _read_keys(path: Path) -> tuple[str, ...]:
    return tuple(path.read_text(encoding="ascii").split())


def _publish(path: Path, key: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{key}\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # fails where another process came first: the file appears whole or not at all
    except FileExistsError:
        pass
    finally:
        draft.unlink()
