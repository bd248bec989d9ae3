"""Our cookies: `dmpuid=<uuid4>`, for thirteen months, and `dmpopt=1` of browsers that want none."""

import uuid

from core import user_ids

NAME = b"dmpuid="
MAX_AGE = 33_696_000  # seconds

CHOICE = b"dmpopt="
OPTED_OUT = CHOICE + b"1"
CHOICE_MAX_AGE = 157_680_000  # seconds: five years; browsers that allow less shorten it themselves


def read(header: bytes) -> str | None:
    """Our id in a `Cookie` header, or None; what is not a uuid4 is no cookie of ours."""
    if NAME not in header:
        return None
    for part in header.split(b";"):
        pair = part.strip()
        if pair.startswith(NAME):
            found = user_ids.parse(pair[len(NAME) :].decode("latin-1"))
            if found is not None:
                return found
    return None


def opted_out(header: bytes) -> bool:
    """Whether a `Cookie` header says that its browser wants not to be known."""
    return OPTED_OUT in header and any(part.strip() == OPTED_OUT for part in header.split(b";"))


class CookieJar:
    """Writes the cookies; `secure=False` is for development over plain HTTP only."""

    def __init__(self, *, secure: bool) -> None:
        safety = b"; Secure; HttpOnly; SameSite=None" if secure else b"; HttpOnly; SameSite=Lax"
        self._tail = b"; Path=/; Max-Age=%d" % MAX_AGE + safety
        self.opt_out = OPTED_OUT + b"; Path=/; Max-Age=%d" % CHOICE_MAX_AGE + safety
        self.opt_in = CHOICE + b"; Path=/; Max-Age=0" + safety
        self._gone = b"; Path=/; Max-Age=0" + safety
        self.forget = self.drop(NAME)

    def write(self, user: str | uuid.UUID) -> bytes:
        return self.keep(NAME, str(user).encode())

    def keep(self, name: bytes, value: bytes) -> bytes:
        """Another cookie of ours, kept alike; `name` ends with `=`."""
        return name + value + self._tail

    def drop(self, name: bytes) -> bytes:
        """Have the browser delete one of our cookies."""
        return name + self._gone
