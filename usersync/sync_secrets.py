"""The sync secrets of platforms, opened."""

import logging
from collections.abc import Mapping

from cryptography.fernet import InvalidToken

from core.keys import KeyRing

logger = logging.getLogger(__name__)


class SyncSecrets:
    """Opens each sealed value once, however often the configuration is loaded."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._opened: dict[bytes, tuple[str, ...]] = {}

    def open_all(self, sealed: Mapping[int, bytes]) -> dict[int, tuple[str, ...]]:
        """By `pl`, newest first; none for a platform whose secrets cannot be read."""
        self._opened = {value: self._open(pl, value) for pl, value in sealed.items()}
        return {pl: self._opened[value] for pl, value in sealed.items()}

    def _open(self, pl: int, sealed: bytes) -> tuple[str, ...]:
        known = self._opened.get(sealed)
        if known is not None:
            return known
        try:
            return tuple(str(secret) for secret in self._keys.open(sealed) if secret)
        except (InvalidToken, ValueError, TypeError):
            logger.exception("the sync secrets of platform %s cannot be read: its syncs are refused", pl)
            return ()
