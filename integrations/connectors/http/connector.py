"""Generic HTTP: any platform with a REST interface, described by request templates."""

from collections.abc import Sequence
from typing import Any

import msgspec
from django.core.exceptions import ValidationError

from integrations import templates
from integrations.answers import conditions, expressions, items, meaning
from integrations.answers.expressions import ExpressionError
from integrations.authorization import ClientCredentials
from integrations.connectors.base import (
    Connector,
    Member,
    Operation,
    Removal,
    Segment,
    SegmentSource,
    Strategy,
    TokenSource,
)
from integrations.connectors.http.calls import CompiledCall
from integrations.connectors.http.credentials import Credentials, NoAuthentication, OAuth2, sign
from integrations.connectors.http.settings import HEADER, ActivationSettings, HttpSettings, faults
from integrations.credential_binding import Origins, origin_of
from integrations.errors import IntegrationError, MisconfiguredError, RefusedError, UnclearAnswerError
from integrations.http import Request, Response
from integrations.templates import Values


class HttpConnector(Connector):
    key = "http"
    title = "Generic HTTP"
    description = "Any platform with a REST interface: segments are created and filled by requests you describe."
    settings_type = HttpSettings
    credentials_type = Credentials
    activation_type = ActivationSettings
    set_by_settings = frozenset({"strategy", "batch_size", "segment_source", "removal", "own_ids", "check_requests"})
    notes = """
        Placeholders: {{name}} and {{audience_id}} of the audience, {{segment_id}}, {{userid}} (the platform's
        id), {{user_id}} (ours), {{operation}}, {{timestamp}}, {{attribute.<path>}}. In an address they are
        percent-encoded; a JSON text that is one placeholder and nothing else takes the value's own type.

        In micro_batch, a body that is a list of one element, or a member that is, is repeated for each user.
    """

    def __init__(self, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
        super().__init__(settings, credentials or msgspec.to_builtins(NoAuthentication()))
        given: HttpSettings = self.settings
        self.strategy = Strategy(given.strategy)
        batched = self.strategy is Strategy.MICRO_BATCH
        self.batch_size = given.batch_size if batched else 1
        self.linger_ms = given.linger_ms
        self.segment_source = SegmentSource.GIVEN if given.create is None else SegmentSource.CREATED
        self.removal, self.ttl_days = Removal(given.removal), given.ttl_days
        self.own_ids = given.id_source == "own"
        self._create = None if given.create is None else CompiledCall(given.create, batched=False)
        self._read = None if given.read is None else CompiledCall(given.read, batched=False)
        self._find = None if given.find is None else CompiledCall(given.find, batched=False)
        self._check = None if given.check is None else CompiledCall(given.check, batched=False)
        self._push = {Operation.ADD: CompiledCall(given.add, batched=batched)}
        if given.remove is not None:
            self._push[Operation.REMOVE] = CompiledCall(given.remove, batched=batched)
        self.one_segment_a_request = any(call.names_segment for call in self._push.values())
        paths = frozenset[str]().union(*(call.attributes for call in self._push.values()))
        self.wanted_attributes = frozenset(path.partition(".")[0] for path in paths)

    @classmethod
    def validate_settings(cls, settings: dict[str, Any]) -> None:
        super().validate_settings(settings)
        found = faults(msgspec.convert(settings, HttpSettings))
        if found:
            raise ValidationError({"settings": found})

    def origins(self) -> Origins:
        """Return the origins of all calls, and of the endpoint that issues tokens."""
        given: HttpSettings = self.settings
        every = (given.add, given.create, given.remove, given.check, given.read, given.find)
        calls = [call for call in every if call is not None]
        tokens = [self.credentials.token_url] if isinstance(self.credentials, OAuth2) else []
        return frozenset(map(origin_of, [*(call.url for call in calls), *tokens]))

    def authorization(self) -> TokenSource | None:
        given = self.credentials
        if not isinstance(given, OAuth2):
            return None
        return ClientCredentials(given.token_url, given.client_id, given.client_secret, given.scope, given.client_auth)

    def check_requests(self) -> list[Request]:
        return [] if self._check is None else [sign(self._check.request([{}]), self.credentials)]

    def creation_request(self, segment: Segment, timestamp: int) -> Request:
        if self._create is None:
            raise MisconfiguredError("this platform has no request that creates segments")
        return sign(self._create.request([_values(segment, timestamp)]), self.credentials)

    def segment_id(self, segment: Segment, response: Response) -> Any:
        place: str = self.settings.create.segment_id
        found = _header(response, place) if place.startswith(HEADER) else _search(response, place)
        if not _is_id(found):
            raise RefusedError(f"the answer has no segment id at “{place}”: {response.excerpt}")
        return found

    def lookup_request(self, segment: Segment) -> Request | None:
        if self._find is None:
            return None
        return sign(self._find.request([_values(segment, 0)]), self.credentials)

    def read_lookup(self, segment: Segment, response: Response) -> Any | None:
        """Return the id of the one segment of this name. Raises `MisconfiguredError` where there are several."""
        find = self.settings.find
        listed = _search(response, find.list)
        known = listed if isinstance(listed, list) else [listed]
        if find.name:
            known = [one for one in known if _searched(find.name, one) == segment.name]
        found = {one for one in (_searched(find.segment_id, each) for each in known) if _is_id(one)}
        if len(found) > 1:
            raise MisconfiguredError(f"the platform has {len(found)} segments of the name “{segment.name}”")
        return found.pop() if found else None

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        if operation not in self._push:
            raise MisconfiguredError("this platform has no request that removes members")
        call = self._push[operation]
        rows: list[Values] = [
            _values(member.segment, timestamp)
            | {
                "segment_id": member.segment.id,
                "userid": member.platform_user_id,
                "user_id": str(member.user_id),
                "operation": operation.value,
            }
            | templates.attribute_values(call.attributes, member.attributes)
            for member in members
        ]
        return sign(call.request(rows), self.credentials)

    def members_request(self, segment: Segment, cursor: str | None) -> Request | None:
        if self._read is None:
            return None
        asked = {"segment_id": segment.id, "cursor": cursor or ""}
        return sign(self._read.request([_values(segment, 0) | asked]), self.credentials)

    def read_members(self, response: Response) -> tuple[Sequence[str], str | None]:
        read = self.settings.read
        ids = _search(response, read.ids)
        if not isinstance(ids, list) or not all(isinstance(one, str | int) for one in ids):
            raise RefusedError(f"the answer has no list of ids at “{read.ids}”: {response.excerpt}")
        following = _search(response, read.next) if read.next else None
        return [str(one) for one in ids], str(following) if following not in {None, ""} else None

    # ── what answers mean ────────────────────────────────────────────────────────────────────────────

    def succeeded(self, response: Response) -> bool:
        decided = conditions.first_that_holds(self.settings.answers, response)
        if decided is not None:
            return decided.means in {"accepted", "exists"}
        return super().succeeded(response) and self._unread(response) is None

    def failure(self, response: Response) -> IntegrationError:
        decided = conditions.first_that_holds(self.settings.answers, response)
        if decided is not None:
            return conditions.failure(decided, response)
        return (self._unread(response) if super().succeeded(response) else None) or meaning.failure(response)

    def outcomes(
        self, operation: Operation, members: Sequence[Member], response: Response
    ) -> Sequence[IntegrationError | None]:
        given: HttpSettings = self.settings
        if given.items is None and response.status != 207:
            return [None] * len(members)
        if conditions.first_that_holds(given.answers, response) is not None:
            return [None] * len(members)
        if given.items is None:
            return super().outcomes(operation, members, response)
        return items.read(given.items, [member.platform_user_id for member in members], response)

    def _unread(self, response: Response) -> IntegrationError | None:
        """Return why an answer of a good status is no success: it is not JSON, or the `success` test fails."""
        test = self.settings.success
        if not test:
            return None
        try:
            document = items.document_of(response) if response.body.strip() else None
            passes = bool(expressions.search(test, document))
        except UnclearAnswerError as unclear:
            return unclear
        except ExpressionError:
            passes = False
        return None if passes else RefusedError(f"the answer does not pass the test “{test}”: {response.excerpt}")


def _is_id(found: Any) -> bool:
    return isinstance(found, str | int) and not isinstance(found, bool) and found != ""


def _searched(path: str, document: Any) -> Any:
    try:
        return expressions.search(path, document)
    except ExpressionError as error:
        raise RefusedError(f"“{path}” {error}") from None


def _search(response: Response, path: str) -> Any:
    try:
        return expressions.search(path, response.document())
    except ExpressionError as error:
        raise RefusedError(f"“{path}” {error}: {response.excerpt}") from None


def _header(response: Response, place: str) -> str:
    """Return the value of a header; of `Location`, what follows the last slash."""
    name = place.removeprefix(HEADER).lower()
    value = response.headers.get(name, "").strip()
    return value.partition("?")[0].rstrip("/").rpartition("/")[2] if name == "location" else value


def _values(segment: Segment, timestamp: int) -> dict[str, Any]:
    return {"name": segment.name, "audience_id": segment.audience, "timestamp": timestamp}
