"""Faults on demand: what a third party does wrong although the request is right.

A fault acts only on requests that pass every check. Several faults may be active: their delays add up, and the first
one that replaces the response decides.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from sandbox.exchange import JSON_TYPE, Headers, RejectedError, SandboxResponse
from sandbox.parties import ACCOUNT_NAME
from sandbox.rates import Window

Text = Annotated[str, msgspec.Meta(min_length=1)]


class FaultOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of `POST /faults`.

    target: `<third party>` (all its accounts) or `<third party>/<account>`.
    status: the response has this status (and `body`, `retry_after` in seconds or as a date, `media_type`, `location`,
    if given); nothing is applied.
    before: an answer that only informs (102 to 199) is sent first.
    drop: the connection is closed without a response.
    delay: seconds before processing; if the sender closes the connection meanwhile, nothing is processed.
    rate: calls a second (below 1: one call in 1/rate seconds); more calls receive 429 with Retry-After.
    applied: with status, drop or delay: the request is applied before the fault acts.
    times: the number of requests that it acts on; if absent, until it is cleared.
    userid: it acts only on requests that contain this user id.
    clear: remove the faults of `target`, or all faults.
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
    retry_after: Annotated[int, msgspec.Meta(ge=0)] | Text | None = None
    media_type: Text | None = None
    location: Text | None = None
    before: Annotated[int, msgspec.Meta(ge=102, le=199)] = 0
    clear: bool = False


@dataclass(slots=True)
class ActiveFault:
    """A fault that acts on requests. `left`: how many requests it still acts on."""

    order: FaultOrder
    left: float
    window: Window | None = None

    def holds_for(self, party: str, account: str, concerns: Callable[[str], bool]) -> bool:
        order = self.order
        return order.target in {party, f"{party}/{account}"} and (order.userid is None or concerns(order.userid))

    def acts(self) -> bool:
        """Count a call. Return whether the fault acts on it; a rate acts only on calls above its limit."""
        if self.window is not None and self.window.admits():
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class FaultEffect:
    """What the faults do to one request. `response` replaces the true response."""

    delay: float = 0.0
    response: SandboxResponse | None = None
    drop: bool = False
    applied: bool = False
    before: int = 0

    @property
    def spoils(self) -> bool:
        return self.drop or self.response is not None

    @property
    def acts(self) -> bool:
        return self.spoils or self.delay > 0 or self.before > 0


class Faults:
    """The active faults of all third parties, in the order in which they were ordered."""

    def __init__(self) -> None:
        self._active: list[ActiveFault] = []

    def effect_on(self, party: str, account: str, concerns: Callable[[str], bool]) -> FaultEffect:
        effect = FaultEffect()
        for fault in self._active:
            if effect.spoils or not fault.holds_for(party, account, concerns) or not fault.acts():
                continue
            effect.delay += fault.order.delay or 0.0
            effect.applied |= fault.order.applied
            effect.before = effect.before or fault.order.before
            effect.drop = fault.order.drop
            effect.response = _instead(fault.order)
        self._active = [fault for fault in self._active if fault.left > 0]
        return effect

    def order(self, body: bytes, parties: Mapping[str, Any]) -> None:
        """Add or clear faults as the body of `POST /faults` says. Raises `RejectedError` (400) if it is wrong."""
        try:
            order = msgspec.json.decode(body, type=FaultOrder)
        except msgspec.DecodeError as error:
            raise RejectedError(400, str(error)) from error
        _check_target(order, parties)
        if order.clear:
            self._clear(order)
            return
        _check_effects(order)
        window = None if order.rate is None else Window(max(1, int(order.rate)), max(1.0, 1.0 / order.rate))
        self._active.append(ActiveFault(order, math.inf if order.times is None else order.times, window))

    def reset(self) -> None:
        self._active.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Return the active orders, with `left` for those that are counted."""
        return [
            msgspec.to_builtins(fault.order) | ({} if math.isinf(fault.left) else {"left": int(fault.left)})
            for fault in self._active
        ]

    def _clear(self, order: FaultOrder) -> None:
        if order != FaultOrder(target=order.target, clear=True):
            raise RejectedError(400, "clear stands alone, or with target")
        self._active = [
            fault for fault in self._active if order.target is not None and fault.order.target != order.target
        ]


def _check_target(order: FaultOrder, parties: Mapping[str, Any]) -> None:
    if order.target is None:
        if order.clear:
            return
        raise RejectedError(400, "target is missing")
    party, slash, account = order.target.partition("/")
    if party not in parties or (slash and not ACCOUNT_NAME.fullmatch(account)):
        known = ", ".join(parties)
        raise RejectedError(400, f"unknown target {order.target!r}: one of {known}, or <one of them>/<account>")


def _check_effects(order: FaultOrder) -> None:
    spoils = (order.status is not None) + order.drop + (order.rate is not None)
    limited = order.rate is not None
    answers = order.status is not None
    rules = {
        "at most one of status, drop and rate": spoils <= 1,
        "one of status, delay, drop, rate or before is needed": spoils == 1 or order.delay is not None or order.before,
        "rate goes with target, times and retry_after only": not limited
        or (order.delay is None and order.userid is None and not order.applied),
        "body, media_type and location need status": answers or not (order.body or order.media_type or order.location),
        "retry_after needs status or rate": answers or limited or order.retry_after is None,
    }
    broken = [rule for rule, kept in rules.items() if not kept]
    if broken:
        raise RejectedError(400, "; ".join(broken))


def _instead(order: FaultOrder) -> SandboxResponse | None:
    status = 429 if order.rate is not None else order.status
    if status is None:
        return None
    wait = order.retry_after
    if wait is None and order.rate is not None:
        wait = math.ceil(1 / order.rate)
    headers: Headers = () if wait is None else ((b"retry-after", str(wait).encode()),)
    if order.location is not None:
        headers += ((b"location", order.location.encode()),)
    if status in {204, 304}:
        return SandboxResponse(status, headers=headers, before=order.before)
    document = {"status": "OK" if status < 300 else "ERROR", "error": f"fault on demand: {status}"}
    body = msgspec.json.encode(document) if order.body is None else order.body.encode()
    kind = JSON_TYPE if order.media_type is None else ((b"content-type", order.media_type.encode()),)
    return SandboxResponse(status, body, kind + headers, order.before)
