"""What an account of a stand-in holds: named segments, each a set of ids."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.exchange import RejectedError, SandboxRequest
from sandbox.ledger import PartyAccount


@dataclass(slots=True)
class StandInAccount(PartyAccount):
    """`titles`: of segments; `notes`: what else a test wants to see."""

    members: dict[str, set[str]] = field(default_factory=dict)
    titles: dict[str, str] = field(default_factory=dict)
    notes: list[Any] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)

    def holdings(self, *, members: bool) -> dict[str, Any]:
        shown = {
            key: {"title": self.titles.get(key, key), "size": len(ids), "members": sorted(ids)}
            for key, ids in self.members.items()
        }
        return {"segments": shown, "notes": self.notes if members else []}

    def sizes(self) -> list[tuple[str, int]]:
        return [(key, len(ids)) for key, ids in self.members.items()]


def account_in_path(request: SandboxRequest, pattern: str) -> str:
    """The first group of the path's pattern; Refused (404) where it does not match."""
    found = re.fullmatch(pattern, request.path)
    if found is None:
        raise RejectedError(404, "nothing here")
    return found[1]


def basic(request: SandboxRequest) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    user, _, password = base64.b64decode(encoded).decode().partition(":")
    return user, password
