"""MediaMath's S2S audience import (004_61881f248519e6eb.txt): files by SFTP, and the log of their processing.

`GET /mediamath/s2s/log?offset=` (basic authentication of the SFTP user) returns `{"offset", "total", "results"}`
with at most 100 results, oldest first: `{"id", "file", "received", "bytes", "status": "processed"|"refused",
"rows", "line", "error"}`. The document shows no form, so this one is invented.
"""

import posixpath
import re
import time
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sandbox.authentication import basic_account
from sandbox.exchange import (
    RejectedError,
    SandboxRequest,
    SandboxResponse,
    json_response,
    method_not_allowed,
    parameters,
)
from sandbox.files import ACCEPTED, BadFileError, FileAccount, FileParty
from sandbox.ledger import MemberRow
from sandbox.parties import Action
from sandbox.pixel_bundles import PATH as PIXEL_BUNDLES
from sandbox.pixel_bundles import PixelBundles
from sandbox.rates import Quota
from sandbox.s2s_file import NOWHERE, REMOVE, AudienceFile, UserRow, read_file
from sandbox.taxonomies import PATH as TAXONOMIES
from sandbox.taxonomies import Taxonomies

LARGEST_FILE = 4_000_000_000
FILES_AN_HOUR = 20
BYTES_A_DAY = 5_000_000_000
LOG_PAGE = 100
LOG_PATH = "/mediamath/s2s/log"

Users = dict[str, dict[str, int]]
"""By user id and segment id: the unix time from which the user is in the segment."""


@dataclass(slots=True)
class S2sAccount(FileAccount):
    """`users` has an entry for each (segment namespace, whether mobile)."""

    users: dict[tuple[str, bool], Users] = field(default_factory=dict)
    taxonomies: Taxonomies = field(default_factory=Taxonomies)
    pixel_bundles: PixelBundles = field(default_factory=PixelBundles)
    files: Quota = field(default_factory=lambda: Quota(FILES_AN_HOUR, 3600))
    bytes: Quota = field(default_factory=lambda: Quota(BYTES_A_DAY, 86_400))

    def check_quotas(self, name: str, size: int) -> None:
        """Count a file. Raises `BadFileError` if it exceeds a quota, or its name was used."""
        if size > LARGEST_FILE:
            raise BadFileError(f"larger than {LARGEST_FILE} bytes")
        if not self.files.admits():
            raise BadFileError(f"more than {FILES_AN_HOUR} files in this hour")
        if not self.bytes.admits(size):
            raise BadFileError(f"more than {BYTES_A_DAY} bytes on this day")
        if any(entry["file"] == name and entry["status"] == "processed" for entry in self.log):
            raise BadFileError("a file of that name has been processed")

    def apply(self, file: AudienceFile) -> None:
        users = self.users.setdefault((file.namespace, file.mobile), {})
        now = int(time.time())
        for load in file.loads:
            held = users.setdefault(load.userid, {})
            if load.clear:
                held.clear()
            for segment, timestamp in load.segments:
                if timestamp == REMOVE:
                    held.pop(segment, None)
                elif not (load.clear and segment == NOWHERE):
                    held[segment] = timestamp or now
            self._record(load)

    def _record(self, load: UserRow) -> None:
        for segment, timestamp in load.segments:
            if segment.isdecimal():
                self.arrivals.record("remove" if timestamp == REMOVE else "add", [MemberRow(int(segment), load.userid)])

    def note(self, name: str, size: int, rows: int, error: BadFileError | None) -> None:
        entry = {"id": len(self.log) + 1, "file": name, "received": int(time.time()), "bytes": size, "rows": rows}
        self.log_file(name, entry, error)

    def segments(self, *, mobile: bool) -> dict[str, dict[str, list[str]]]:
        """Return the present members by namespace and segment id."""
        now = time.time()
        found: dict[str, dict[str, list[str]]] = {}
        for (namespace, kind), users in self.users.items():
            if kind == mobile:
                by_segment = found[namespace] = defaultdict(list)
                for userid in sorted(users):
                    for segment in (name for name, since in users[userid].items() if since <= now):
                        by_segment[segment].append(userid)
        return found

    def holdings(self, *, members: bool) -> dict[str, Any]:
        """`display` and `mobile`: namespace, segment, members. `users`: namespace, id, segments by their times."""
        kinds = {"display": self.segments(mobile=False), "mobile": self.segments(mobile=True)}
        files = {
            "files": self.log,
            "unfinished": self.folder.unfinished(),
            "taxonomies": self.taxonomies.held,
            "pixel_bundles": self.pixel_bundles.held,
        }
        if members:
            users = {
                f"{namespace}{'/mobile' if mobile else ''}": {userid: held for userid, held in users.items() if held}
                for (namespace, mobile), users in self.users.items()
            }
            return {**kinds, "users": users} | files
        sizes = {
            kind: {
                space: {number: {"size": len(ids)} for number, ids in found.items()}
                for space, found in by_space.items()
            }
            for kind, by_space in kinds.items()
        }
        return sizes | files

    def sizes(self) -> list[tuple[str, int]]:
        return [
            (f"{namespace} {segment}{' (mobile)' if mobile else ''}", len(members))
            for mobile in (False, True)
            for namespace, by_segment in self.segments(mobile=mobile).items()
            for segment, members in by_segment.items()
        ]


class S2sImport(FileParty[S2sAccount]):
    name = "mediamath-s2s"

    def new_account(self) -> S2sAccount:
        return S2sAccount()

    def serves(self, path: str) -> bool:
        return path.startswith(("/mediamath/s2s/", TAXONOMIES, PIXEL_BUNDLES))

    def identify(self, request: SandboxRequest) -> str:
        return basic_account(request.headers.get("authorization", ""))

    def prepare(self, account: S2sAccount, request: SandboxRequest) -> Action:
        if request.path.startswith(TAXONOMIES):
            return account.taxonomies.prepare(request)
        if request.path.startswith(PIXEL_BUNDLES):
            return account.pixel_bundles.prepare(request)
        if request.path != LOG_PATH:
            raise RejectedError(404, f"nothing at {request.path}")
        if request.method != "GET":
            raise method_not_allowed("GET")
        given = parameters(request.query)
        offset = given.pop("offset", "0")
        if given or not re.fullmatch(r"\d{1,9}", offset, re.ASCII):
            raise RejectedError(400, "takes offset, a count, and nothing else")
        return Action.without_users(lambda: _page(account, int(offset)))

    def take(self, account: S2sAccount, path: str, content: bytes) -> Action:
        name = posixpath.basename(path)
        try:
            file = read_file(name, content)
        except BadFileError as error:
            return Action.without_users(partial(_log_refused, account, name, content, error))
        return Action(
            lambda userid: any(load.userid == userid for load in file.loads),
            lambda: _process(account, name, content, file),
        )


def _page(account: S2sAccount, offset: int) -> SandboxResponse:
    results = account.log[offset : offset + LOG_PAGE]
    return json_response({"offset": offset, "total": len(account.log), "results": results})


def _process(account: S2sAccount, name: str, content: bytes, file: AudienceFile) -> SandboxResponse:
    try:
        account.check_quotas(name, len(content))
    except BadFileError as error:
        account.note(name, len(content), 0, error)
        return SandboxResponse(400)
    account.apply(file)
    account.note(name, len(content), len(file.loads), None)
    return ACCEPTED


def _log_refused(account: S2sAccount, name: str, content: bytes, broken: BadFileError) -> SandboxResponse:
    """Log a bad file, which counts as sent. Its error is logged even if it also exceeds a quota."""
    account.files.admits()
    account.bytes.admits(len(content))
    account.note(name, len(content), 0, broken)
    return SandboxResponse(400)
