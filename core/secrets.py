"""Secrets at rest: encrypted by a ring of Fernet keys (newest first) that is not Django's SECRET_KEY."""

from typing import Any

import msgspec
from cryptography.fernet import Fernet, MultiFernet


class KeyRing:
    """Encrypts JSON values; reads what any key of the ring has written.

    `cryptography.fernet.InvalidToken` is raised for a value that no key of the ring opens.
    """

    def __init__(self, keys: list[str]) -> None:
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def seal(self, value: Any) -> bytes:
        return self._fernet.encrypt(msgspec.json.encode(value))

    def open(self, token: bytes) -> Any:
        return msgspec.json.decode(self._fernet.decrypt(token))
