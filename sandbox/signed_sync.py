"""A platform that signs its syncs: `/signed-sync/<account>?out=<url>`.

Like the cookie domain, but it adds `ts` and `sig` to `out` after its id is filled in. The shared secret is
`<account>-secret`. A token or a signature that is already in `out` is an error.
"""

import hmac
import time
from urllib.parse import parse_qsl, quote, urlsplit

from sandbox.authentication import secret_of
from sandbox.exchange import RejectedError, SandboxRequest
from sandbox.parties import ACCOUNT_NAME
from sandbox.sync import CookieDomain, escaped

FOREIGN = {"plsec", "plcsec", "ts", "sig"}


class SigningDomain(CookieDomain):
    name = "signed-sync"

    def serves(self, path: str) -> bool:
        return path.startswith("/signed-sync/")

    def identify(self, request: SandboxRequest) -> str:
        account = request.path.removeprefix("/signed-sync/")
        if not ACCOUNT_NAME.fullmatch(account):
            raise RejectedError(404, "no such platform")
        return account

    def complete(self, out: str, account: str) -> bytes:
        parts = urlsplit(out)
        given = parse_qsl(parts.query, keep_blank_values=True)
        foreign = FOREIGN & {name for name, _ in given}
        if foreign:
            raise RejectedError(400, f"out carries {', '.join(sorted(foreign))}, but this platform signs")
        signed = [*given, ("ts", str(int(time.time())))]
        signature = hmac.new(secret_of(account).encode(), canonical(parts.path, signed).encode(), "sha1").hexdigest()
        return escaped(f"{parts.scheme}://{parts.netloc}{parts.path}?") + _query([*signed, ("sig", signature)]).encode()


def canonical(path: str, parameters: list[tuple[str, str]]) -> str:
    """Return the text that is signed: version, method, path, and every parameter by RFC 3986, sorted by bytes."""
    encoded = sorted(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)
    return f"v1\nGET\n{path}\n{'&'.join(encoded)}"


def _query(parameters: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters)
