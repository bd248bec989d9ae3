"""Sends the rows of one claim, in one request or taken apart until it goes through.

A refused request is halved until its culprits are alone, a request that is too large until it fits. Where everything
is refused in the same words, no row is to blame: the activation is broken, and its rows wait (`refusals`). One request
is in flight at a time, and each is sent only while the lane's lease outlasts it.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activation.delivery.members import MemberReader, can_be_sent
from activation.delivery.parts import Part, Parts, cut, grouped, halves, halves_by_activation
from activation.delivery.platform_client import NotNowError, PlatformClient
from activation.delivery.quotas import QuotaExhaustedError
from activation.delivery.refusals import GONE, ClaimRefusals, PlatformRefusal, refusal_of
from activation.delivery.retry import MOST_ATTEMPTS
from activation.delivery.settlement import Settlement, expiry
from activation.stores.batches import BatchRecord, excerpt
from activation.stores.claims import Claim, ClaimedRow
from activation.stores.outcomes import ClaimOutcomes
from core import clock
from integrations.connectors.base import Connector, Member, Operation
from integrations.errors import (
    BusyError,
    ConnectorFaultError,
    IntegrationError,
    MisconfiguredError,
    RateLimitedError,
    RefusedError,
    RequestTooLargeError,
    RowRefusedError,
    SegmentRefusedError,
    UnansweredError,
    UnauthorizedError,
)
from integrations.http import Request, Response

# what came of single rows is written down together, this often
FINISH_SECONDS = 0.5
# a platform that is busy with a row at this attempt refuses it
LAST_ATTEMPT = MOST_ATTEMPTS - 1


@dataclass(slots=True)
class BatchSender:
    """One claim while it is sent: through `client`, with what came of it recorded by `settlement` and in `record`."""

    client: PlatformClient
    members: MemberReader
    settlement: Settlement
    record: BatchRecord
    accepted: list[ClaimedRow] = field(default_factory=list)
    goes_on: bool = True
    _parts: Parts = field(default_factory=Parts)
    _known: set[int] = field(default_factory=set)  # activations of which a row was accepted
    _refusals: dict[int, ClaimRefusals] = field(default_factory=lambda: defaultdict(ClaimRefusals))
    _finished: float = field(default_factory=time.monotonic)

    @property
    def claim(self) -> Claim:
        return self.settlement.outcomes.claim

    @property
    def outcomes(self) -> ClaimOutcomes:
        return self.settlement.outcomes

    @property
    def connector(self) -> Connector:
        return self.members.connector

    def run(self) -> bool:
        """Send all rows of the claim. Returns whether the lane may go on; rows that were not sent are due again."""
        rows = self.settlement.set_aside(self.claim.rows)
        self._parts.last(cut(rows, self.client.target.rows))
        while self._parts:
            one = self._parts.next()
            try:
                smaller = self._send(one)
            except NotNowError:
                smaller, self.goes_on = [one], False
            self._parts.first(smaller)
            if not self.goes_on or (self.client.probing and self._parts):
                self.outcomes.unsent(self._parts.rows(), "")
                break
        for activation in list(self._refusals):
            self._settle_suspects(activation)
        self.outcomes.finished(*self._take_accepted(), self.record)
        return self.goes_on

    def _send(self, rows: list[ClaimedRow]) -> list[Part]:
        """Send one part. Returns what to send instead, in order."""
        members = self.members.read(rows)
        try:
            request = self._request(members)
        except MisconfiguredError as failure:
            return self._unmade(rows, members, failure)
        except IntegrationError as failure:
            return self._failed(rows, failure)
        try:
            response = self.client.send(request)
        except ConnectorFaultError as failure:
            self.settlement.unread(rows, failure)
            return []
        except IntegrationError as failure:
            return self._failed(rows, failure)
        self._note_answer(response.status, response.excerpt)
        try:
            return self._read_outcomes(rows, members, response)
        except MisconfiguredError as failure:  # a fault of the connector, too
            self.settlement.unread(rows, failure)
            self.goes_on &= isinstance(failure, ConnectorFaultError)
        except IntegrationError as failure:  # the platform took it, but nobody understands what it says
            failure.status, failure.excerpt = response.status, response.excerpt
            self.settlement.give_back(rows, failure)
        return []

    def _request(self, members: list[Member]) -> Request:
        connector = self.connector
        request = connector.push(self.claim.operation, members, clock.now_seconds())
        size = len(request.body or b"")
        if connector.batch_bytes is not None and size > connector.batch_bytes and len(members) > 1:
            raise RequestTooLargeError(f"{size:,} bytes, at most {connector.batch_bytes:,}")
        self.record.bytes += size
        self.record.requests += 1
        if not self.record.request_excerpt:
            self.record.request_excerpt = excerpt(request)
        return request

    def _read_outcomes(self, rows: list[ClaimedRow], members: list[Member], response: Response) -> list[Part]:
        """Sort the rows of a request that the platform took; it may still have refused some of them.

        Returns what to send next.
        """
        errors = self.connector.outcomes(self.claim.operation, members, response)
        if len(errors) != len(rows):
            errors = [None] * len(rows)
        accepted = [row for row, error in zip(rows, errors, strict=True) if error is None]
        self.accepted.extend(accepted)
        self._note_accepted(accepted)
        following = self._not_accepted(
            [(row, error) for row, error in zip(rows, errors, strict=True) if error is not None], response
        )
        if self._parts and (len(rows) > 1 or time.monotonic() - self._finished > FINISH_SECONDS):
            self._flush()
        return following

    def _not_accepted(self, found: list[tuple[ClaimedRow, IntegrationError]], response: Response) -> list[Part]:
        """Settle rows that an answer names one by one. Returns what to send next.

        Where all rows of an activation are refused alike, it is not known yet whose refusal that is.
        """
        errors = dict(found)
        for error in errors.values():
            error.status, error.excerpt = error.status or response.status, error.excerpt or response.excerpt
            error.of_one_row = True
        following: list[Part] = []
        for rows in grouped(list(errors), lambda row: row.activation):
            if rows[0].activation not in self._known and self._are_refused_alike(rows, errors):
                following += self._refused(rows, errors[rows[0]])
                continue
            for alike in grouped(rows, lambda row: (type(errors[row]), str(errors[row]))):
                self.settlement.give_back(alike, errors[alike[0]])
        return following

    def _are_refused_alike(self, rows: list[ClaimedRow], errors: dict[ClaimedRow, IntegrationError]) -> bool:
        refused = all(isinstance(errors[row], RefusedError) for row in rows)
        return refused and len({self._refusal(errors[row], row) for row in rows}) == 1

    def _failed(self, rows: list[ClaimedRow], failure: IntegrationError) -> list[Part]:
        """Do what the error asks for. Returns what to send instead."""
        self._note_answer(failure.status, failure.excerpt)
        self.record.error = str(failure)
        if isinstance(failure, BusyError) and max(row.attempts for row in rows) >= LAST_ATTEMPT:
            failure = refusal_of(failure)
        match failure:
            case UnauthorizedError() | MisconfiguredError():
                self.settlement.mark_broken(rows, failure)
                self.goes_on = False
                return []
            case RequestTooLargeError() if len(rows) > 1:
                target = self.client.target
                target.rows = max(1, min(target.rows, len(rows) // 2))
                return halves(rows)
            case RefusedError():
                return self._refused(rows, failure)
            case QuotaExhaustedError():
                self.goes_on = False
                return [rows]
            case RateLimitedError():
                self.outcomes.unsent(rows, str(failure), timedelta(seconds=failure.retry_after or 0))
                self.goes_on = False
                return []
        self.settlement.give_back(rows, failure)
        if isinstance(failure, UnansweredError):
            # the platform may still be working on it: the lane stays leased, nothing newer is sent meanwhile
            self.record.unanswered = True
            self.goes_on = False
        elif self.client.is_held_back:
            self.goes_on = False
        return []

    # ── what the connector cannot do ─────────────────────────────────────────────────────────────────

    def _unmade(self, rows: list[ClaimedRow], members: list[Member], failure: MisconfiguredError) -> list[Part]:
        """No request could be made of these rows: of each activation by itself one may be. Returns what to send next.

        Nothing was sent, so trying costs nothing. A fault of the connector may be about single rows: they are refused
        where the others can be sent, else the activation is broken.
        """
        self.record.error = str(failure)
        alone = grouped(rows, lambda row: row.activation)
        if len(alone) > 1:
            return alone
        activation = rows[0].activation
        if isinstance(failure, ConnectorFaultError):
            sendable = {
                row
                for row, member in zip(rows, members, strict=True)
                if can_be_sent(self.connector, self.claim.operation, member)
            }
            if 0 < len(sendable) < len(rows):
                self.settlement.give_back([row for row in rows if row not in sendable], failure)
                return [[row for row in rows if row in sendable]]
            if len(rows) == 1 and self._was_accepted(activation):
                self._refused_row(rows[0], failure)
                return []
        self._break(activation, rows, failure)
        return []

    def _was_accepted(self, activation: int) -> bool:
        """Whether this process has seen the platform accept a row of the activation."""
        return activation in self._known or self.client.target.history(activation).accepted > 0

    # ── whose refusal it is ──────────────────────────────────────────────────────────────────────────

    def _refused(self, rows: list[ClaimedRow], failure: IntegrationError) -> list[Part]:
        """Take refused rows apart, first by activation. Returns what to send next.

        Until a row of the activation is accepted, the other half is asked before the halves of this one; where both
        are refused like the whole, single rows are asked.
        """
        parts, activation = halves_by_activation(rows), rows[0].activation
        if len(parts) > 1:
            return parts
        if isinstance(failure, SegmentRefusedError):
            self._break(activation, rows, failure)
            return []
        if len(rows) == 1:
            self._refused_row(rows[0], failure)
            return []
        if activation in self._known or isinstance(failure, RowRefusedError):
            return halves(rows)
        return self._refused_part(activation, rows, failure)

    def _refused_part(self, activation: int, rows: list[ClaimedRow], failure: IntegrationError) -> list[Part]:
        """Several rows of one activation were refused, of which nothing was accepted yet."""
        words, refusals = self._refusal(failure), self._refusals[activation]
        refusals.note(words)
        if not refusals.both_halves:
            self._parts.last(halves(rows))
            return []
        self._parts.last([rows])
        return self._parts.sample(activation, words.least)

    def _refused_row(self, row: ClaimedRow, failure: IntegrationError) -> None:
        """A row was refused alone. It is dead once it is known that others are accepted; until then it is a suspect."""
        activation = row.activation
        gone = failure.status in GONE and self._names_user(failure) and self.claim.operation is Operation.REMOVE
        if gone or isinstance(failure, RowRefusedError):
            # the platform does not know the user, or its settings say so: that is said of this user only
            self.settlement.give_back([row], failure)
            return
        words, history = self._refusal(failure, row), self.client.target.history(activation)
        history.note_refused(row[:3], words)
        if history.is_everybodys:
            self._everybodys(activation, [row], failure)
        elif activation in self._known:
            self.settlement.give_back([row], failure)
        else:
            self.record.error = str(failure)
            self._refusals[activation].note(words)
            self._refusals[activation].suspects.append((row, failure))

    def _refusal(self, failure: IntegrationError, row: ClaimedRow | None = None) -> PlatformRefusal:
        return PlatformRefusal.of(failure, names_user=self._names_user(failure), row=row)

    def _names_user(self, failure: IntegrationError) -> bool:
        """Whether it may have been said of the user: the address of the request names one, or the answer does."""
        return self.connector.batch_size == 1 or failure.of_one_row

    def _everybodys(self, activation: int, rows: Iterable[ClaimedRow], failure: IntegrationError) -> None:
        """No row is to blame: the rows of the activation wait, also those that were buried just before.

        An activation that ends has nobody left to remove in a segment that is gone.
        """
        target, gone = self.client.target, self._refusal(failure).gone
        if gone and activation in target.ending_activations and self.claim.operation is Operation.REMOVE:
            self.accepted.extend(self._all_of(activation, rows))
            return
        self._break(activation, rows, failure)
        self.goes_on = False

    def _break(self, activation: int, rows: Iterable[ClaimedRow], failure: IntegrationError) -> None:
        """Have the rows of the activation wait for a person, also those that were buried just before."""
        self.settlement.mark_broken(self._all_of(activation, rows), failure)
        history = self.client.target.histories.pop(activation, None)
        self.outcomes.reopened(history.run if history is not None else [])

    def _all_of(self, activation: int, rows: Iterable[ClaimedRow]) -> list[ClaimedRow]:
        """Returns these rows and all others of the activation, which are taken out of what is still to be sent."""
        suspects = [row for row, _ in self._refusals.pop(activation, ClaimRefusals()).suspects]
        return [*rows, *suspects, *self._parts.take(activation)]

    def _note_accepted(self, rows: list[ClaimedRow]) -> None:
        """Rows were accepted: what else was refused of their activations is those rows' own fault."""
        for activation, number in Counter([row.activation for row in rows]).items():
            self._known.add(activation)
            self.client.target.history(activation).note_accepted(number)
            if activation in self._refusals:
                self._settle_suspects(activation)

    def _settle_suspects(self, activation: int) -> None:
        """Give the suspects back one by one. Where the segment may be gone and nobody else was sent, they wait."""
        for row, failure in self._refusals.pop(activation).suspects:
            if self._refusal(failure, row).gone and activation not in self._known:
                self.outcomes.failed([row], str(failure))
            else:
                self.settlement.give_back([row], failure)

    def _flush(self) -> None:
        """Record the rows that the platform accepted."""
        self._finished = time.monotonic()
        if self.accepted:
            self.outcomes.accepted(*self._take_accepted())

    def _take_accepted(self) -> tuple[list[ClaimedRow], datetime, datetime | None]:
        """Returns the accepted rows, now, and when the platform forgets them."""
        rows, self.accepted, at = self.accepted, [], clock.now()
        self.record.accepted += len(rows)
        return rows, at, expiry(self.connector, at, added=self.claim.wanted)

    def _note_answer(self, status: int | None, text: str) -> None:
        if status is not None:
            self.record.status = status
        self.record.response_excerpt = text or self.record.response_excerpt
