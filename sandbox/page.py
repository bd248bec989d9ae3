"""The page that shows what every account holds, the last requests and the active faults."""

import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from itertools import islice
from pathlib import Path
from string import Template
from typing import Any

import msgspec

from sandbox.exchange import SandboxRequest, SandboxResponse
from sandbox.ledger import PartyAccount
from sandbox.parties import ThirdParty

KEPT_REQUESTS = 50
SHOWN_CHARACTERS = 160
SHOWN_VIOLATIONS = 50
GZIP = b"\x1f\x8b"

_template = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))


@dataclass(slots=True)
class RequestNote:
    """One request as the page shows it. The body is decoded and shortened only when the page is shown."""

    at: float
    party: str
    request: SandboxRequest
    account: str = ""
    status: str = "…"

    def set_status(self, response: SandboxResponse | None) -> None:
        self.status = "hung up" if response is None else str(response.status)


class RecentRequests:
    """The last requests to third parties, newest first."""

    def __init__(self) -> None:
        self.notes: deque[RequestNote] = deque(maxlen=KEPT_REQUESTS)

    def note(self, party: str, request: SandboxRequest) -> RequestNote:
        note = RequestNote(time.time(), party, request)
        self.notes.appendleft(note)
        return note

    def reset(self) -> None:
        self.notes.clear()


def page(parties: Mapping[str, ThirdParty[Any]], faults: list[dict[str, Any]], recent: RecentRequests) -> str:
    accounts = (
        row
        for party in parties.values()
        for name, account in sorted(party.accounts.items())
        for row in _account_rows(party.name, name, account)
    )
    broken = (
        _row(party.name, name, _short(reason))
        for party in parties.values()
        for name, account in sorted(party.accounts.items())
        for reason in reversed(account.violations)
    )
    return _template.substitute(
        broken=_body(islice(broken, SHOWN_VIOLATIONS), columns=3, empty="None."),
        accounts=_body(accounts, columns=7, empty="Nothing has called yet."),
        faults=_body((_row(_json(fault)) for fault in faults), columns=1, empty="None."),
        requests=_body(map(_request_row, recent.notes), columns=5, empty="None yet."),
    )


def _account_rows(party: str, name: str, account: PartyAccount) -> Iterable[str]:
    tally = account.tally
    counted = (tally.requests, tally.rejected, tally.faulted)
    for label, size in account.sizes() or [("holds nothing", 0)]:
        yield _row(party, name, label, f"{size:,}", *(f"{number:,}" for number in counted))


def _request_row(note: RequestNote) -> str:
    request = note.request
    clock = time.strftime("%H:%M:%S", time.localtime(note.at)) + f".{int(note.at % 1 * 1000):03d}"
    target = request.path + (f"?{request.query}" if request.query else "")
    whole = f"{request.method} {target}"
    return _row(clock, note.account, note.status, _short(whole), _short(_text(request.body)))


def _text(body: bytes) -> str:
    if body.startswith(GZIP):
        return f"gzip, {len(body):,} bytes"
    return body[: 4 * SHOWN_CHARACTERS].decode(errors="replace")


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"


def _json(document: dict[str, Any]) -> str:
    return msgspec.json.encode(document).decode()


def _row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _body(rows: Iterable[str], *, columns: int, empty: str) -> str:
    return "\n".join(rows) or f'<tr><td class="empty" colspan="{columns}">{escape(empty)}</td></tr>'
