"""MediaMath's processing log over a folder into which files are uploaded: each is read by the rules of the document.

`GET /s2s/<account>/log?offset=` with the SFTP user's basic authentication; `/state` has what the processed files say.
The folder is `$S2S_FOLDER/<account>`. A file that names a user “dead…” is refused, one with “beef…” the first time.
"""

import os
from pathlib import Path
from typing import Any

from sandbox.exchange import RejectedError, SandboxRequest, json_response, method_not_allowed, parameters
from sandbox.parties import Action, ThirdParty
from tests.integrations.connectors.mediamath_s2s.reader import BrokenRuleError, read
from tests.support.parties.held import StandInAccount, account_in_path, basic

PAGE = 2
FOLDER = "S2S_FOLDER"


class AudienceFiles(ThirdParty[StandInAccount]):
    name = "s2s"

    def __init__(self) -> None:
        super().__init__()
        self._forgiven: set[str] = set()

    def new_account(self) -> StandInAccount:
        return StandInAccount()

    def serves(self, path: str) -> bool:
        return path.startswith("/s2s/")

    def identify(self, request: SandboxRequest) -> str:
        account = account_in_path(request, r"/s2s/([a-z]+)/log")
        if basic(request) != (account, f"{account}-secret"):
            raise RejectedError(401, "the SFTP user, please")
        return account

    def prepare(self, account: StandInAccount, request: SandboxRequest) -> Action:
        if request.method != "GET":
            raise method_not_allowed("GET")
        offset = int(parameters(request.query).get("offset", "0"))
        self._process(account, request.path.split("/")[2])
        page = account.notes[offset : offset + PAGE]
        return Action(
            lambda _: False, lambda: json_response({"total": len(account.notes), "results": page, "more": {}})
        )

    def _process(self, account: StandInAccount, name: str) -> None:
        """Files not looked at yet, in the order of their names."""
        seen = {entry["file"] for entry in account.notes}
        held: dict[str, set[str]] = {}
        for segment, ids in account.members.items():
            for one in ids:
                held.setdefault(one, set()).add(segment)
        for path in sorted(Path(os.environ[FOLDER], name).glob("*.log.gz")):
            if path.name not in seen:
                account.notes.append(self._read(path, held))
        account.members = {}
        for one, segments in held.items():
            for segment in segments:
                account.members.setdefault(segment, set()).add(one)

    def _read(self, path: Path, held: dict[str, set[str]]) -> dict[str, Any]:
        try:
            file = read(path.name, path.read_bytes())
        except BrokenRuleError as wrong:
            return {"file": path.name, "status": "rejected", "errors": [{"line": 0, "message": str(wrong)}]}
        strangers = {row.user for row in file.rows if row.user.startswith(("dead", "beef"))} - self._forgiven
        self._forgiven |= {user for user in strangers if user.startswith("beef")}
        if strangers:
            return {"file": path.name, "status": "rejected", "errors": ["a user that nobody knows"]}
        file.replay(held)
        return {"file": path.name, "status": "processed", "rows": len(file.rows)}
