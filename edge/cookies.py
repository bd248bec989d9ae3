"""The hub's cookies, and the check that a browser keeps them.

`dmpuid=<uuid4>` is our user id, for thirteen months; `dmpopt=1` is of browsers that opted out. A browser without the
first is given one and redirected to itself with a signed `CookieCheck`: if it comes back with the cookie, it keeps it.
"""

import uuid

import msgspec

from core import clock, user_ids
from core.keys import TokenSigner
from core.messages import Id
from core.patterns import whole

NAME = b"dmpuid="
MAX_AGE = 33_696_000  # seconds

OPT_OUT_NAME = b"dmpopt="
OPTED_OUT = OPT_OUT_NAME + b"1"
OPT_OUT_MAX_AGE = 157_680_000  # seconds: five years; browsers that allow less shorten it themselves

_USER = whole(rb"\s*+" + NAME + b"(" + user_ids.ANY_CASE.encode() + rb")\s*+")

CHECK_SECONDS = 86_400
"""Data that is kept under an id that is not confirmed is deleted after a day."""


def read(header: bytes) -> str | None:
    """Returns our user id in a `Cookie` header, or None; what is not a uuid4 is no cookie of ours."""
    if header.find(NAME) < 0:
        return None
    for part in header.split(b";"):
        found = _USER(part)
        if found is not None:
            return found[1].decode().lower()
    return None


def opted_out(header: bytes) -> bool:
    """Whether a `Cookie` header says that its browser opted out."""
    return any(part.strip() == OPTED_OUT for part in header.split(b";"))


class CookieJar:
    """Writes `Set-Cookie` headers; `secure=False` is for development over plain HTTP only."""

    def __init__(self, *, secure: bool) -> None:
        safety = b"; Secure; HttpOnly; SameSite=None" if secure else b"; HttpOnly; SameSite=Lax"
        self._tail = b"; Path=/; Max-Age=%d" % MAX_AGE + safety
        self.opt_out = OPTED_OUT + b"; Path=/; Max-Age=%d" % OPT_OUT_MAX_AGE + safety
        self.opt_in = OPT_OUT_NAME + b"; Path=/; Max-Age=0" + safety
        self._gone = b"; Path=/; Max-Age=0" + safety
        self.forget = self.drop(NAME)

    def write(self, user: str | uuid.UUID) -> bytes:
        return self.keep(NAME, str(user).encode())

    def keep(self, name: bytes, value: bytes) -> bytes:
        """Another cookie of ours, kept as long; `name` ends with `=`."""
        return name + value + self._tail

    def drop(self, name: bytes) -> bytes:
        """Have the browser delete one of our cookies."""
        return name + self._gone


class CookieCheck(msgspec.Struct, array_like=True):
    """The id that a browser was given, and the ids that its first request named. `issued`: unix seconds."""

    customer: int
    user: str
    issued: int
    ids: list[Id] = []


class CookieCheckSigner:
    """Carries a cookie check through a redirect that anybody may tamper with.

    Signs with the newest of its secrets, and reads what any of them signed.
    """

    def __init__(self, secrets: list[str]) -> None:
        self._tokens = TokenSigner(secrets)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(CookieCheck).decode

    def sign(self, check: CookieCheck) -> bytes:
        return self._tokens.sign(self._encode(check))

    def read(self, text: str) -> CookieCheck | None:
        """Returns None for what was altered, is malformed or older than a day."""
        content = self._tokens.open(text)
        if content is None:
            return None
        check = self._decode(content)
        return check if clock.now_seconds() - check.issued <= CHECK_SECONDS else None
