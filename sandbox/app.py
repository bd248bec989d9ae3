"""The ASGI application: third parties under their own paths, and the controls that tests and people use."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from sandbox.connection import hang_up
from sandbox.controls import Controls
from sandbox.exchange import Answer, RefusedError, Request
from sandbox.faults import Faults, Verdict
from sandbox.files import Intake
from sandbox.page import Recent
from sandbox.parties import Action, ThirdParty
from sandbox.registry import third_parties

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LARGEST_BODY = 16 * 1024 * 1024


class Sandbox:
    """One process's pretend third parties; everything lives in memory and in one event loop."""

    def __init__(self) -> None:
        self.parties = third_parties()
        self.faults = Faults()
        self.recent = Recent()
        self.controls = Controls(self.parties, self.faults, self.recent)
        self._stopping = asyncio.Event()

    def intake(self, loop: asyncio.AbstractEventLoop) -> Intake:
        """Where files go that come by another way than HTTP."""
        return Intake(self.parties, self.faults, self.recent, loop)

    def stop(self) -> None:
        """Hangs up on everyone who waits for a delayed answer."""
        self._stopping.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(await _request(scope, receive), receive)
        except RefusedError as refusal:
            answer = refusal.answer()
        if answer is None:
            hang_up((scope["client"][0], int(scope["client"][1])))
            return
        with suppress(ConnectionError, RuntimeError):  # the caller hung up; nobody is left to be told
            await _send(answer, send)

    async def _answer(self, request: Request, receive: Receive) -> Answer | None:
        """None: hang up without an answer. Of two that serve a path, the one named later answers."""
        for party in reversed(self.parties.values()):
            if party.serves(request.path):
                return await self._at(party, request, receive)
        return self.controls.answer(request)

    async def _at(self, party: ThirdParty[Any], request: Request, receive: Receive) -> Answer | None:
        note = self.recent.note(party.name, request)
        try:
            name = note.account = party.identify(request)
            answer = await self._counted(party, name, request, receive)
        except RefusedError as refusal:
            answer = refusal.answer()
        note.answered(answer)
        return answer

    async def _counted(self, party: ThirdParty[Any], name: str, request: Request, receive: Receive) -> Answer | None:
        tally = party.account(name).tally
        tally.in_progress += 1
        try:
            return await self._for(party, name, request, receive)
        finally:
            tally.in_progress -= 1

    async def _for(self, party: ThirdParty[Any], name: str, request: Request, receive: Receive) -> Answer | None:
        account = party.account(name)
        account.tally.requests += 1
        try:
            action: Action = party.prepare(account, request)
        except RefusedError as refusal:
            account.tally.rejected += 1
            account.violations.append(refusal.reason)
            raise
        verdict = self.faults.judge(party.name, name, action.concerns)
        if not verdict.acts:
            return action.apply()
        account.tally.faulted += 1
        return await self._spoilt(action, verdict, receive)

    async def _spoilt(self, action: Action, verdict: Verdict, receive: Receive) -> Answer | None:
        applied = action.apply() if verdict.applied else None
        if verdict.delay and await self._cut_short(verdict.delay, receive):
            return None
        if verdict.spoils:
            return verdict.answer
        return applied or action.apply()

    async def _cut_short(self, seconds: float, receive: Receive) -> bool:
        """Waits; True as soon as the caller hangs up or the sandbox stops."""
        ends = {asyncio.ensure_future(receive()), asyncio.ensure_future(self._stopping.wait())}
        done, pending = await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for end in pending:
            end.cancel()
        return bool(done)


async def _request(scope: Scope, receive: Receive) -> Request:
    try:
        query = scope["query_string"].decode("ascii")
    except UnicodeDecodeError as error:
        raise RefusedError(400, "the query is not percent-encoded") from error
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    return Request(scope["method"], scope["path"], query, headers, await _body(receive))


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > LARGEST_BODY:
            raise RefusedError(413, f"body over {LARGEST_BODY} bytes")
    return b"".join(parts)


async def _send(answer: Answer, send: Send) -> None:
    headers = list(answer.headers)
    if b"content-length" not in dict(headers):  # an answer to HEAD tells the length of what it does not carry
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
