"""The paths for tests and people: `/state`, `/received`, `/faults`, `/sftp`, `/reset`, `/healthz` and the page."""

from collections.abc import Callable, Mapping
from typing import Any

from sandbox.exchange import (
    RejectedError,
    SandboxRequest,
    SandboxResponse,
    json_response,
    method_not_allowed,
    parameters,
)
from sandbox.faults import Faults
from sandbox.page import RecentRequests, page
from sandbox.parties import ThirdParty
from sandbox.sftp_habits import HabitsOfAccounts

Handler = Callable[[SandboxRequest], SandboxResponse]


class Controls:
    """The paths that belong to no third party."""

    def __init__(self, parties: Mapping[str, ThirdParty[Any]], faults: Faults, recent: RecentRequests) -> None:
        self._parties = parties
        self._faults = faults
        self._recent = recent
        self.sftp: dict[str, str | int] | None = None
        self.habits = HabitsOfAccounts()
        self._handlers: dict[str, dict[str, Handler]] = {
            "/": {"GET": self._page},
            "/state": {"GET": self._state},
            "/received": {"GET": self._received},
            "/faults": {"GET": self._list_faults, "POST": self._order_fault},
            "/sftp": {"GET": self._sftp},
            "/sftp/habits": {"GET": lambda _: json_response(self.habits.listed()), "POST": self._order_habits},
            "/reset": {"POST": self._reset},
            "/healthz": {"GET": lambda _: json_response({"status": "ok"})},
        }

    def respond(self, request: SandboxRequest) -> SandboxResponse:
        if request.path not in self._handlers:
            raise RejectedError(404, f"nothing at {request.path}")
        by_method = self._handlers[request.path]
        if request.method not in by_method:
            raise method_not_allowed(", ".join(by_method))
        return by_method[request.method](request)

    def _page(self, _: SandboxRequest) -> SandboxResponse:
        html = page(self._parties, self._faults.listed(), self._recent)
        return SandboxResponse(200, html.encode(), ((b"content-type", b"text/html; charset=utf-8"),))

    def _state(self, request: SandboxRequest) -> SandboxResponse:
        """`?account=` only that one (empty where unknown), `?members=0` sizes only."""
        asked = _known_parameters(request, {"account", "members"})
        members, account = asked.get("members", "1"), asked.get("account")
        if members not in {"0", "1"}:
            raise RejectedError(400, "members is 0 or 1")
        return json_response(
            {name: party.state(account, members=members == "1") for name, party in self._parties.items()}
        )

    def _received(self, request: SandboxRequest) -> SandboxResponse:
        """`?account=` of the generic third party (or `&party=`), `&since=<sequence>`, `&limit=<rows>`."""
        asked = _known_parameters(request, {"account", "party", "since", "limit"})
        party = self._parties.get(asked.get("party", "generic"))
        if party is None:
            raise RejectedError(400, f"unknown party: one of {', '.join(self._parties)}")
        if "account" not in asked:
            raise RejectedError(400, "account is missing")
        limit = _count(asked, "limit") if "limit" in asked else None
        return json_response(party.peek(asked["account"]).arrivals.since(_count(asked, "since"), limit))

    def _sftp(self, _: SandboxRequest) -> SandboxResponse:
        """`{"host", "port", "host_key"}` of the SFTP server."""
        if self.sftp is None:
            raise RejectedError(404, "the sandbox was started without --sftp-port")
        return json_response(self.sftp)

    def _list_faults(self, _: SandboxRequest) -> SandboxResponse:
        return json_response(self._faults.listed())

    def _order_fault(self, request: SandboxRequest) -> SandboxResponse:
        self._faults.order(request.body, self._parties)
        return json_response(self._faults.listed())

    def _order_habits(self, request: SandboxRequest) -> SandboxResponse:
        self.habits.order(request.body)
        return json_response(self.habits.listed())

    def _reset(self, _: SandboxRequest) -> SandboxResponse:
        for party in self._parties.values():
            party.reset()
        self._faults.reset()
        self.habits.reset()
        self._recent.reset()
        return json_response({"status": "OK"})


def _known_parameters(request: SandboxRequest, known: set[str]) -> dict[str, str]:
    asked = parameters(request.query)
    if asked.keys() - known:
        raise RejectedError(400, f"unexpected parameter {', '.join(sorted(asked.keys() - known))}")
    return asked


def _count(asked: Mapping[str, str], name: str) -> int:
    value = asked.get(name, "0")
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):
        raise RejectedError(400, f"{name} is not a count")
    return int(value)
