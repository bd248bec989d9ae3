"""Signed references: what a first request said, carried through a redirect that anybody may tamper with."""

import time

import msgspec

from core.keys import TokenSigner
from core.messages import Id

MAX_AGE = 86_400  # seconds: data kept under an id that is not confirmed goes after a day


class Reference(msgspec.Struct, array_like=True):
    """The id that a browser was given, and the ids that its first request named. `issued`: unix seconds."""

    customer: int
    user: str
    issued: int
    ids: list[Id] = []


class Signer:
    """Signs with the newest of its secrets, reads what any of them signed."""

    def __init__(self, secrets: list[str]) -> None:
        self._tokens = TokenSigner(secrets)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Reference).decode

    def sign(self, reference: Reference) -> bytes:
        return self._tokens.sign(self._encode(reference))

    def read(self, text: str) -> Reference | None:
        """None for what was altered, is malformed or older than a day."""
        content = self._tokens.open(text)
        if content is None:
            return None
        reference = self._decode(content)
        return reference if time.time() - reference.issued <= MAX_AGE else None
