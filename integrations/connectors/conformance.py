"""The rules that every connector must keep, here or in another distribution: a test class to inherit from.

    class TestMine(Conformance):
        example = Example(connector=Mine, settings={…}, credentials={…}, ids=("abc", "def"))

pytest and unittest collect its `test_…` methods. Nothing is sent: the tests inspect requests and invent responses.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import unquote
from uuid import UUID

from django.core.exceptions import ValidationError

from core.patterns import whole
from integrations.connectors.base import Connector, Limits, Member, Operation, Segment, SegmentSource
from integrations.connectors.files import FileConnector, MemberChange
from integrations.errors import (
    ConnectorFaultError,
    IntegrationError,
    MisconfiguredError,
    RateLimitedError,
    RetriableError,
    UnauthorizedError,
)
from integrations.http import Request, Response

NOW = 1_700_000_000
_KEY = whole(r"[a-z][a-z0-9_]*+")
USER = UUID("00000000-0000-4000-8000-000000000042")
# fields of credentials that are not secret
PUBLIC = frozenset({"type", "username", "name", "header", "algorithm", "client_id", "scope", "token_url", "host_key"})
ODD_BODIES = (
    b"",
    b"<html>Oops</html>",
    b"{",
    b"[]",
    b"null",
    b"7",
    b'"text"',
    b"\xff\xfe",
    b'{"nobody_knows_this": {"deep": [1]}}',
)
ODD_IDS = ("a b&c=d", "ü/é?#", "100%", "'\"<>", "line\nbreak", "0", "x" * 256)


class NonConformanceError(AssertionError):
    """A connector breaks a rule of the contract."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """An example of how a platform of this connector may be set up.

    `ids` holds at least two ids that the platform would accept. `created` is the platform's response to the creation of
    a segment, if the connector creates segments.
    """

    connector: type[Connector]
    settings: Mapping[str, Any]
    credentials: Mapping[str, Any] = field(default_factory=dict)
    activation: Mapping[str, Any] = field(default_factory=dict)
    ids: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    created: Response | None = None

    def ready(self) -> Connector:
        return self.connector(copy.deepcopy(dict(self.settings)), copy.deepcopy(dict(self.credentials)))

    def segment(self, segment_id: Any = 4711) -> Segment:
        ready = self.ready()
        given = ready.given_segment(dict(self.activation)) if ready.segment_source is SegmentSource.GIVEN else None
        known = segment_id if given is None else given
        return Segment(1, known, 9, "Größe: “big” & strong", dict(self.activation), 1, 7)

    def members(self, *ids: str) -> list[Member]:
        """Return members with these ids, or with those of the example."""
        segment = self.segment()
        return [Member(segment, one, USER, self.attributes) for one in ids or self.ids]

    def requests(self) -> Iterator[Request]:
        """Yield every kind of request that the connector makes."""
        ready = self.ready()
        yield from ready.check_requests()
        if ready.segment_source is SegmentSource.CREATED:
            yield ready.creation_request(self.segment(None), NOW)
        if not isinstance(ready, FileConnector):
            for operation in operations(ready):
                yield ready.push(operation, self.members()[: ready.batch_size], NOW)


def operations(connector: Connector) -> list[Operation]:
    return list(Operation) if connector.removal.is_sent else [Operation.ADD]


def must(holds: object, what: str) -> None:
    if not holds:
        raise NonConformanceError(what)


class Conformance:
    """Inherit from it and give it an `example`."""

    example: ClassVar[Example]

    def test_declaration__is_complete(self) -> None:
        kind = self.example.connector
        must(_KEY(kind.key), "the key is lower-case letters, digits and _")
        must(kind.title and kind.description.endswith("."), "there are a title and a sentence")
        must(isinstance(kind.default_limits, Limits), "default_limits are Limits")
        for schema in (kind.settings_schema(), kind.credentials_schema(), kind.activation_schema()):
            must(schema, "settings, credentials and activations have a JSON Schema")

    def test_example__is_accepted_and_left_as_it_is(self) -> None:
        settings = copy.deepcopy(dict(self.example.settings))
        self.example.connector.validate_settings(settings)
        ready = self.example.connector(settings, copy.deepcopy(dict(self.example.credentials)))
        ready.validate_activation(dict(self.example.activation))
        must(settings == self.example.settings, "settings are not changed by reading them")
        must(1 <= ready.batch_size <= 10_000, "batch_size is from 1 to 10,000")
        must(ready.removal != "ttl" or ready.ttl_days, "a membership that runs out has ttl_days")

    def test_unknown_fields__are_refused(self) -> None:
        given, odd = self.example, {"nobody_knows_this": 1}
        refused(lambda: given.connector.validate_settings({**given.settings, **odd}), "an unknown setting")
        refused(lambda: given.connector(dict(given.settings), {**given.credentials, **odd}), "unknown credentials")
        refused(lambda: given.ready().validate_activation({**given.activation, **odd}), "an unknown activation setting")

    def test_secrets__are_where_nothing_shows_them(self) -> None:
        secrets = [value for key, value in self.example.credentials.items() if key not in PUBLIC and value]
        for request in self.example.requests():
            shown = f"{request.url} {request.headers} {request.body!r} {request!r}"
            must(not any(str(secret) in shown for secret in secrets), "a secret stands outside the secret fields")

    def test_requests__are_the_same_for_the_same_rows(self) -> None:
        for one, other in zip(self.example.requests(), self.example.requests(), strict=True):
            must(one == other, "a request depends on more than what it was made from")
            must(one.url.startswith(("http://", "https://")), "a request has a whole address")
            must(one.url.isascii() and len(one.url.split()) == 1, "an address is percent-encoded")

    def test_members__are_in_the_request(self) -> None:
        ready = self.example.ready()
        if isinstance(ready, FileConnector):
            return
        members = self.example.members()[: ready.batch_size]
        for operation in operations(ready):
            request = ready.push(operation, members, NOW)
            text = unquote(request.url) + (request.body or b"").decode()
            named = all(m.platform_user_id in text or str(m.user_id) in text for m in members)
            must(named, f"a member is missing in the request to {operation}")

    def test_removal__is_possible_exactly_where_it_is_declared(self) -> None:
        ready = self.example.ready()
        if isinstance(ready, FileConnector) or ready.removal.is_sent:
            return
        try:
            ready.push(Operation.REMOVE, self.example.members()[:1], NOW)
        except MisconfiguredError as refusal:
            no_fault(refusal)
            return
        must(ready.removal != "none", "a platform without removal makes no request that removes")

    def test_lists__say_what_the_lines_say(self) -> None:
        ready, members = self.example.ready(), self.example.members()
        if not isinstance(ready, FileConnector) or not ready.has_lines_of_ids:
            return
        ids = "".join(f"{member.platform_user_id}\n" for member in members)
        for operation in operations(ready):
            lines = b"".join(line for member in members for line in ready.lines([MemberChange(member, operation)]))
            must(ready.lines_of_ids(ids, operation) == lines, "a list of ids makes the lines of its ids")

    def test_odd_ids__are_sent_safely_or_refused_alone(self) -> None:
        ready = self.example.ready()
        if isinstance(ready, FileConnector):
            return
        for odd in ODD_IDS:
            members = self.example.members(odd, *self.example.ids)[: ready.batch_size]
            try:
                request = ready.push(Operation.ADD, members, NOW)
            except IntegrationError as refusal:
                no_fault(refusal)
                must(len(members) == 1, "an odd id does not fail its neighbours")
                continue
            must(request.url.isascii() and len(request.url.split()) == 1, "an address is percent-encoded")
            outcomes = ready.outcomes(Operation.ADD, members, Response(200, {}, b"{}"))
            one_each(outcomes, len(members))
            must(not any(outcomes[1:]), "an odd id does not fail its neighbours")

    def test_answers__of_any_shape_are_understood(self) -> None:
        ready = self.example.ready()
        members = self.example.members()[:1]
        for status in (200, 204, 302, 400, 401, 403, 404, 408, 413, 415, 417, 422, 429, 500, 502, 503):
            for body in ODD_BODIES:
                response = Response(status, {}, body)
                if ready.succeeded(response):
                    must(status < 500, f"HTTP {status} is no success")
                    only_integration_errors(lambda r=response: one_each(ready.outcomes(Operation.ADD, members, r), 1))
                else:
                    must(isinstance(ready.failure(response), IntegrationError), "a failure says what to do next")

    def test_failures__say_what_to_do_next(self) -> None:
        ready = self.example.ready()
        for status, kind in (
            (429, RateLimitedError),
            (503, RetriableError),
            (500, RetriableError),
            (403, UnauthorizedError),
        ):
            failure = ready.failure(Response(status, {}, b""))
            must(isinstance(failure, kind), f"HTTP {status} is {kind.__name__}, not {type(failure).__name__}")

    def test_creation__reads_the_segments_id_and_nothing_else(self) -> None:
        ready, created = self.example.ready(), self.example.created
        if ready.segment_source is not SegmentSource.CREATED:
            return
        must(created is not None, "the example says what a creation is answered with")
        assert created is not None
        segment = self.example.segment(None)
        known = ready.segment_id(segment, created)
        must(isinstance(known, str | int) and known != "", "a segment's id is text or a number")
        more = created.body.strip().removesuffix(b"}") + b', "nobody_knows_this": [1, {"x": null}]}'
        if created.body.strip().endswith(b"}") and len(created.body.strip()) > 2:
            longer = Response(created.status, created.headers, more)
            must(ready.segment_id(segment, longer) == known, "an unknown field in the answer changes nothing")
        for body in ODD_BODIES:
            only_integration_errors(lambda body=body: ready.segment_id(segment, Response(200, {}, body)))

    def test_checks__read_answers_of_any_shape(self) -> None:
        ready = self.example.ready()
        for body in ODD_BODIES:
            answers = [Response(200, {}, body) for _ in ready.check_requests()]
            only_integration_errors(lambda answers=answers: ready.read_checks(answers))

    def test_files__are_plain_lines_under_names_of_their_own(self) -> None:
        ready = self.example.ready()
        if not isinstance(ready, FileConnector):
            return
        at = datetime.fromtimestamp(NOW, UTC)
        member = self.example.members()[0]
        partition = ready.partition(member)
        names = {ready.file_name(partition, at, number) for number in range(3)}
        must(len(names) == 3 and not any("/" in name for name in names), "each file has a name of its own")
        header = ready.header(partition, min(names), at)
        must(not header or header.endswith(b"\n"), "a header ends its line")
        for operation in operations(ready):
            lines = list(ready.lines([MemberChange(member, operation)]))
            must(lines and all(line.endswith(b"\n") for line in lines), "a line ends with a line feed")
            must(member.platform_user_id.encode() in b"".join(lines), "a line names its user")
        for odd in ODD_IDS:
            strange = MemberChange(self.example.members(odd)[0], Operation.ADD)
            only_integration_errors(lambda strange=strange: one_line_each(ready.lines([strange])))


def refused(validate: Any, what: str) -> None:
    try:
        validate()
    except ValidationError:
        return
    raise NonConformanceError(f"{what} is not refused")


def one_line_each(lines: Iterable[bytes]) -> None:
    must(all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines), "an odd id does not break its line")


def one_each(outcomes: Sequence[Any], members: int) -> None:
    must(len(outcomes) == members, "there is one outcome for each member")


def only_integration_errors(read: Any) -> None:
    """Call `read`; the only errors that it may raise are those that say what to do next."""
    try:
        read()
    except IntegrationError as refusal:
        no_fault(refusal)


def no_fault(refusal: IntegrationError) -> None:
    """A refusal is one of the errors that say what to do next; a fault of the connector is none."""
    must(not isinstance(refusal, ConnectorFaultError), str(refusal))
