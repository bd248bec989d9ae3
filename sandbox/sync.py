"""A platform's cookie domain (001_6c0121e2456e8832.txt): `/sync?out=<url>`, or `/sync/<account>?out=<url>`.

It sets its own cookie, replaces the macro by that id and redirects to `out`. The document writes `out` without
percent-encoding, so `out` contains the rest of the query; both forms are read. `as=<id>` replaces the cookie, for
senders without cookies. Consent signals are allowed.
"""

import re
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from uuid import uuid4

from sandbox.exchange import RejectedError, SandboxRequest, SandboxResponse, method_not_allowed, parameters
from sandbox.ledger import PartyAccount
from sandbox.parties import ACCOUNT_NAME, Action, ThirdParty

COOKIE = "sbxid"
COOKIE_AGE = 390 * 24 * 3600
DEFAULT_ACCOUNT = "default"
CONSENT = {"gdpr", "gdpr_consent", "us_privacy", "gpp", "gpp_sid"}
MACRO = re.compile(r"(?:\[|%5B){2}USERID(?:\]|%5D){2}", re.IGNORECASE)
RAW_OUT = re.compile(r"(?:^|&)out=(https?://[^?&]*\?.*)$")
RAW_AS = re.compile(r"(?:^|&)as=([^&]*)")
URL_CHARACTERS = ":/?#[]@!$&'()*+,;=%"


@dataclass(slots=True)
class CookieAccount(PartyAccount):
    ids: set[str] = field(default_factory=set)

    def holdings(self, *, members: bool) -> dict[str, Any]:
        size = {"size": len(self.ids)}
        return size | {"ids": sorted(self.ids)} if members else size

    def sizes(self) -> list[tuple[str, int]]:
        return [("ids redirected", len(self.ids))]


class CookieDomain(ThirdParty[CookieAccount]):
    """The cookie is `sbxid`, or `sbxid-<account>` under `/sync/<account>`. No account sees the id of another one."""

    name = "sync"

    def new_account(self) -> CookieAccount:
        return CookieAccount()

    def serves(self, path: str) -> bool:
        return path == "/sync" or path.startswith("/sync/")

    def identify(self, request: SandboxRequest) -> str:
        account = request.path.removeprefix("/sync").removeprefix("/") or DEFAULT_ACCOUNT
        if not ACCOUNT_NAME.fullmatch(account):
            raise RejectedError(404, "no such cookie domain")
        return account

    def prepare(self, account: CookieAccount, request: SandboxRequest) -> Action:
        if request.method != "GET":
            raise method_not_allowed("GET")
        out, forced = _asked(request.query)
        name = COOKIE if request.path.rstrip("/") == "/sync" else f"{COOKIE}-{self.identify(request)}"
        known = forced or read_cookie(request, name)
        userid = known or uuid4().hex
        location = self.complete(filled(out, MACRO, userid), self.identify(request))
        cookie = () if known else (new_cookie(name, userid, "/sync"),)

        def apply() -> SandboxResponse:
            account.ids.add(userid)
            return SandboxResponse(302, headers=((b"location", location), (b"cache-control", b"no-store"), *cookie))

        return Action(lambda other: other == userid, apply)

    def complete(self, out: str, account: str) -> bytes:
        """Return the final address. `out` already contains the user id."""
        return escaped(out)


def _asked(query: str) -> tuple[str, str | None]:
    """Return (out, forced id). An `out` with a bare `?` was not encoded and contains all that follows."""
    raw = RAW_OUT.search(query)
    if raw is None:
        return _encoded(parameters(query))
    ours = query[: raw.start()] + "".join(f"&as={value}" for value in RAW_AS.findall(raw[1]))
    return _encoded(parameters(ours.lstrip("&")) | {"out": RAW_AS.sub("", raw[1])})


def _encoded(given: dict[str, str]) -> tuple[str, str | None]:
    strange = given.keys() - {"out", "as"} - CONSENT
    if strange:
        raise RejectedError(400, f"unexpected parameter {', '.join(sorted(strange))}")
    if "out" not in given:
        raise RejectedError(400, "out is missing")
    return given["out"], given.get("as")


def filled(out: str, macro: re.Pattern[str], userid: str) -> str:
    """Return `out` with the user id in place of the macro. Raises `RejectedError` if there is no address or macro."""
    parts = urlsplit(out)
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise RejectedError(400, "out is not an http address")
    address, replaced = macro.subn(quote(userid, safe=""), out)
    if not replaced:
        raise RejectedError(400, "out lacks the macro for the user id")
    return address


def escaped(address: str) -> bytes:
    """Return the address in a form that a header may contain."""
    return quote(address, safe=URL_CHARACTERS).encode("ascii")


def read_cookie(request: SandboxRequest, name: str) -> str | None:
    try:
        found = SimpleCookie(request.headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return unquote(found.value) if found and found.value else None


def new_cookie(name: str, value: str, path: str) -> tuple[bytes, bytes]:
    written = f"{name}={value}; Path={path}; Max-Age={COOKIE_AGE}; HttpOnly; SameSite=Lax"
    return b"set-cookie", written.encode("ascii")
