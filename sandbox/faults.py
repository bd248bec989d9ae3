"""Faults on demand: what a third party does wrong although the request was right.

Only requests that pass every check meet a fault. Several may hold at once: their delays add up, and the
first that spoils the answer decides it.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from sandbox.exchange import JSON_TYPE, Answer, RefusedError, json_answer
from sandbox.parties import ACCOUNT_NAME

Text = Annotated[str, msgspec.Meta(min_length=1)]


class FaultOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of `POST /faults`.

    target: `<third party>` (all its accounts) or `<third party>/<account>`.
    status: answered instead (with `body`, and `retry_after` seconds where given), nothing applied.
    drop: the connection is closed without an answer.
    delay: seconds before processing; a caller that hangs up meanwhile is not processed.
    rate: calls a second (below 1: one call per 1/rate seconds) beyond which 429 with Retry-After.
    applied: with status, drop or delay: applied first, spoilt afterwards.
    times: how many requests it acts on; absent: until cleared.
    userid: acts only on requests that contain this user id.
    clear: removes the faults of `target`, or all.
    """

    target: Text | None = None
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    delay: Annotated[float, msgspec.Meta(gt=0, le=3600)] | None = None
    drop: bool = False
    rate: Annotated[float, msgspec.Meta(gt=0)] | None = None
    times: Annotated[int, msgspec.Meta(ge=1)] | None = None
    applied: bool = False
    userid: Text | None = None
    body: str | None = None
    retry_after: Annotated[int, msgspec.Meta(ge=0)] | None = None
    clear: bool = False


@dataclass(slots=True)
class Fault:
    order: FaultOrder
    left: float
    calls: deque[float] = field(default_factory=deque)

    def holds_for(self, party: str, account: str, concerns: Callable[[str], bool]) -> bool:
        order = self.order
        return order.target in {party, f"{party}/{account}"} and (order.userid is None or concerns(order.userid))

    def acts(self) -> bool:
        """Whether it acts on this call (a rate only beyond its limit); counts the call."""
        if self.order.rate is not None and not self._over(self.order.rate):
            return False
        self.left -= 1
        return True

    def _over(self, rate: float) -> bool:
        now, window = time.monotonic(), max(1.0, 1.0 / rate)
        while self.calls and self.calls[0] <= now - window:
            self.calls.popleft()
        if len(self.calls) >= max(1, int(rate)):
            return True
        self.calls.append(now)
        return False


@dataclass(slots=True)
class Verdict:
    """What the faults make of one request; `answer` stands instead of the true one."""

    delay: float = 0.0
    answer: Answer | None = None
    drop: bool = False
    applied: bool = False

    @property
    def spoils(self) -> bool:
        return self.drop or self.answer is not None

    @property
    def acts(self) -> bool:
        return self.spoils or self.delay > 0


class Faults:
    """The active faults of all third parties, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def judge(self, party: str, account: str, concerns: Callable[[str], bool]) -> Verdict:
        verdict = Verdict()
        for fault in self._active:
            if verdict.spoils or not fault.holds_for(party, account, concerns) or not fault.acts():
                continue
            verdict.delay += fault.order.delay or 0.0
            verdict.applied |= fault.order.applied
            verdict.drop = fault.order.drop
            verdict.answer = _instead(fault.order)
        self._active = [fault for fault in self._active if fault.left > 0]
        return verdict

    def order(self, body: bytes, parties: Mapping[str, Any]) -> None:
        """Obeys one `POST /faults`; Refused 400 says what is wrong with it."""
        try:
            order = msgspec.json.decode(body, type=FaultOrder)
        except msgspec.DecodeError as error:
            raise RefusedError(400, str(error)) from error
        _check_target(order, parties)
        if order.clear:
            self._clear(order)
            return
        _check_effects(order)
        self._active.append(Fault(order, math.inf if order.times is None else order.times))

    def reset(self) -> None:
        self._active.clear()

    def listed(self) -> list[dict[str, Any]]:
        """The orders still active, each with `left` where it is counted."""
        return [
            msgspec.to_builtins(fault.order) | ({} if math.isinf(fault.left) else {"left": int(fault.left)})
            for fault in self._active
        ]

    def _clear(self, order: FaultOrder) -> None:
        if order != FaultOrder(target=order.target, clear=True):
            raise RefusedError(400, "clear stands alone, or with target")
        self._active = [
            fault for fault in self._active if order.target is not None and fault.order.target != order.target
        ]


def _check_target(order: FaultOrder, parties: Mapping[str, Any]) -> None:
    if order.target is None:
        if order.clear:
            return
        raise RefusedError(400, "target is missing")
    party, slash, account = order.target.partition("/")
    if party not in parties or (slash and not ACCOUNT_NAME.fullmatch(account)):
        known = ", ".join(parties)
        raise RefusedError(400, f"unknown target {order.target!r}: one of {known}, or <one of them>/<account>")


def _check_effects(order: FaultOrder) -> None:
    spoils = (order.status is not None) + order.drop + (order.rate is not None)
    limited = order.rate is not None
    answers = order.status is not None
    rules = {
        "at most one of status, drop and rate": spoils <= 1,
        "one of status, delay, drop or rate is needed": spoils == 1 or order.delay is not None,
        "rate goes with target, times and retry_after only": not limited
        or (order.delay is None and order.userid is None and not order.applied),
        "body needs status": answers or order.body is None,
        "retry_after needs status or rate": answers or limited or order.retry_after is None,
    }
    broken = [rule for rule, kept in rules.items() if not kept]
    if broken:
        raise RefusedError(400, "; ".join(broken))


def _instead(order: FaultOrder) -> Answer | None:
    status = 429 if order.rate is not None else order.status
    if status is None:
        return None
    wait = order.retry_after
    if wait is None and order.rate is not None:
        wait = math.ceil(1 / order.rate)
    headers = () if wait is None else ((b"retry-after", str(wait).encode()),)
    if status in {204, 304}:
        return Answer(status, headers=headers)
    if order.body is not None:
        return Answer(status, order.body.encode(), JSON_TYPE + headers)
    document = {"status": "OK" if status < 300 else "ERROR", "error": f"fault on demand: {status}"}
    return json_answer(document, status, headers)
