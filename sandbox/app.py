"""The ASGI application: the list of third parties, each under its own paths, and the controls for tests and people.

A new third party is one more line in `THIRD_PARTIES`. The application knows nothing about the hub.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sandbox.cep import Cep
from sandbox.connection import hang_up, say_before
from sandbox.controls import Controls
from sandbox.event import Events
from sandbox.event_batch import EventBatches
from sandbox.exchange import RejectedError, SandboxRequest, SandboxResponse
from sandbox.faults import FaultEffect, Faults
from sandbox.files import Intake
from sandbox.generic import GenericSegments
from sandbox.lists import UserLists
from sandbox.mathtag import SyncTag
from sandbox.page import RecentRequests
from sandbox.parties import Action, ThirdParty
from sandbox.s2s import S2sImport
from sandbox.segment_files import SegmentFiles
from sandbox.signed_sync import SigningDomain
from sandbox.sync import CookieDomain
from sandbox.webhook import Webhook

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Parties = dict[str, ThirdParty[Any]]

MAX_BODY_BYTES = 16 * 1024 * 1024
THIRD_PARTIES: tuple[type[ThirdParty[Any]], ...] = (
    GenericSegments,
    UserLists,
    CookieDomain,
    SigningDomain,
    SyncTag,
    Cep,
    Webhook,
    Events,
    EventBatches,
    S2sImport,
    SegmentFiles,
)


def third_parties() -> Parties:
    """Return new, empty third parties by name. A fault names its target by the same name."""
    return {kind.name: kind() for kind in THIRD_PARTIES}


class Sandbox:
    """The pretend third parties of one process. Everything is in memory and in one event loop."""

    def __init__(self, parties: Parties | None = None) -> None:
        self.parties = third_parties() if parties is None else parties
        self.faults = Faults()
        self.recent = RecentRequests()
        self.controls = Controls(self.parties, self.faults, self.recent)
        self._stopping = asyncio.Event()

    def intake(self, loop: asyncio.AbstractEventLoop) -> Intake:
        """Return the intake for files that do not arrive by HTTP."""
        return Intake(self.parties, self.faults, self.recent, loop)

    def stop(self) -> None:
        """Close the connections of all senders that wait for a delayed response."""
        self._stopping.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            response = await self._respond(await _request(scope, receive), receive)
        except RejectedError as rejection:
            response = rejection.response()
        if response is None:
            hang_up((scope["client"][0], int(scope["client"][1])))
            return
        with suppress(ConnectionError, RuntimeError):  # the sender has closed the connection
            if response.before:
                say_before((scope["client"][0], int(scope["client"][1])), response.before)
            await _send(response, send)

    async def _respond(self, request: SandboxRequest, receive: Receive) -> SandboxResponse | None:
        """Return the response; None means to close the connection. If two serve a path, the later one responds."""
        for party in reversed(self.parties.values()):
            if party.serves(request.path):
                return await self._respond_as(party, request, receive)
        return self.controls.respond(request)

    async def _respond_as(
        self, party: ThirdParty[Any], request: SandboxRequest, receive: Receive
    ) -> SandboxResponse | None:
        note = self.recent.note(party.name, request)
        try:
            note.account = party.identify(request)
            response = await self._count(party, note.account, request, receive)
        except RejectedError as rejection:
            response = rejection.response()
        note.set_status(response)
        return response

    async def _count(
        self, party: ThirdParty[Any], name: str, request: SandboxRequest, receive: Receive
    ) -> SandboxResponse | None:
        tally = party.account(name).tally
        tally.in_progress += 1
        tally.requests += 1
        try:
            return await self._process(party, name, request, receive)
        finally:
            tally.in_progress -= 1

    async def _process(
        self, party: ThirdParty[Any], name: str, request: SandboxRequest, receive: Receive
    ) -> SandboxResponse | None:
        account = party.account(name)
        try:
            action: Action = party.prepare(account, request)
        except RejectedError as rejection:
            account.tally.rejected += 1
            account.violations.append(rejection.reason)
            raise
        effect = self.faults.effect_on(party.name, name, action.concerns)
        if not effect.acts:
            return action.apply()
        account.tally.faulted += 1
        return await self._apply_with_faults(action, effect, receive)

    async def _apply_with_faults(self, action: Action, effect: FaultEffect, receive: Receive) -> SandboxResponse | None:
        applied = action.apply() if effect.applied else None
        if effect.delay and await self._cut_short(effect.delay, receive):
            return None
        if effect.spoils:
            return effect.response
        return replace(applied or action.apply(), before=effect.before)

    async def _cut_short(self, seconds: float, receive: Receive) -> bool:
        """Wait. Return True as soon as the sender closes the connection or the sandbox stops."""
        ends = {asyncio.ensure_future(receive()), asyncio.ensure_future(self._stopping.wait())}
        done, pending = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for end in pending:
            end.cancel()
        return bool(done)


async def _request(scope: Scope, receive: Receive) -> SandboxRequest:
    try:
        query = scope["query_string"].decode("ascii")
    except UnicodeDecodeError as error:
        raise RejectedError(400, "the query is not percent-encoded") from error
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return SandboxRequest(scope["method"], scope["path"], query, headers, await _body(receive))


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > MAX_BODY_BYTES:
            raise RejectedError(413, f"body over {MAX_BODY_BYTES} bytes")
    return b"".join(parts)


async def _send(response: SandboxResponse, send: Send) -> None:
    headers = list(response.headers)
    if b"content-length" not in dict(headers):  # a response to HEAD states the length of a body that it does not carry
        headers.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
