"""A sync tag as MediaMath's (004_61881f248519e6eb.txt): `/mathtag/sync/js?exsync=` and `/mathtag/sync/img?redir=`.

The address, encoded once, has the macros `[MM_UUID]` (a GUID of its own cookie) and `[MT_DC]` (a data centre);
both are replaced, raw or encoded. The script loads the address as an image; the image redirects to it. The path
`/mathtag/<account>/sync/…` uses another account.
"""

import json
import re
from uuid import uuid4

from sandbox.exchange import RejectedError, SandboxRequest, SandboxResponse, method_not_allowed, parameters
from sandbox.parties import ACCOUNT_NAME, Action, ThirdParty
from sandbox.sync import DEFAULT_ACCOUNT, CookieAccount, escaped, filled, new_cookie, read_cookie

COOKIE = "mt-uuid"
DATA_CENTRE = "ewr"
PATH = re.compile(rf"/mathtag(?:/({ACCOUNT_NAME.pattern}))?/sync/(js|img)")
PARAMETERS = {"js": "exsync", "img": "redir"}
UUID = re.compile(r"(?:\[|%5B)MM_UUID(?:\]|%5D)", re.IGNORECASE)
CENTRE = re.compile(r"(?:\[|%5B)MT_DC(?:\]|%5D)", re.IGNORECASE)
NO_STORE = (b"cache-control", b"no-store")


class SyncTag(ThirdParty[CookieAccount]):
    name = "mathtag"

    def new_account(self) -> CookieAccount:
        return CookieAccount()

    def serves(self, path: str) -> bool:
        return path.startswith("/mathtag/")

    def identify(self, request: SandboxRequest) -> str:
        found = PATH.fullmatch(request.path)
        if found is None:
            raise RejectedError(404, "no such tag")
        return found[1] or DEFAULT_ACCOUNT

    def prepare(self, account: CookieAccount, request: SandboxRequest) -> Action:
        if request.method != "GET":
            raise method_not_allowed("GET")
        kind = request.path.rpartition("/")[2]
        known = read_cookie(request, COOKIE)
        userid = known or str(uuid4())
        address = CENTRE.sub(DATA_CENTRE, filled(_asked(request.query, PARAMETERS[kind]), UUID, userid))
        cookie = () if known else (new_cookie(COOKIE, userid, "/mathtag"),)

        def apply() -> SandboxResponse:
            account.ids.add(userid)
            if kind == "img":
                return SandboxResponse(302, headers=((b"location", escaped(address)), NO_STORE, *cookie))
            code = f"(new Image()).src={json.dumps(escaped(address).decode())};"
            script = (b"content-type", b"text/javascript")
            return SandboxResponse(200, code.encode(), (script, NO_STORE, *cookie))

        return Action(lambda other: other == userid, apply)


def _asked(query: str, name: str) -> str:
    given = parameters(query)
    if given.keys() != {name}:
        raise RejectedError(400, f"takes {name}, and nothing else")
    return given[name]
