"""Generic HTTP: any platform with a REST interface, described by request templates."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import jmespath
import msgspec
from django.core.exceptions import ValidationError

from integrations import templates
from integrations.connectors.base import Connector, Member, Operation, Removal, Segment, SegmentSource, Strategy
from integrations.connectors.http.credentials import Credentials, NoAuthentication, sign
from integrations.errors import Misconfigured, Refused
from integrations.http import Request, Response
from integrations.templates import REQUEST_NAMES, ROW_NAMES, SEGMENT_NAMES, Values

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Call(msgspec.Struct, forbid_unknown_fields=True):
    """A request template."""

    method: Method
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://")]
    headers: dict[str, str] = {}
    body: Any = None


class CreateCall(Call, forbid_unknown_fields=True):
    """`segment_id` is the JMESPath of the id in the answer."""

    segment_id: str = "segment_id"


class HttpSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How to speak to the platform. Without `create`, each activation is given its segment id."""

    add: Call
    create: CreateCall | None = None
    remove: Call | None = None
    strategy: Literal["no_batch", "micro_batch"] = "micro_batch"
    batch_size: Annotated[int, msgspec.Meta(ge=10, le=1000)] = 1000
    linger_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 100
    removal: Literal["call", "none"] = "call"


class ActivationSettings(msgspec.Struct, forbid_unknown_fields=True):
    """The segment's id at the platform, where the platform is not asked to create one."""

    segment_id: int | str | None = None


class HttpConnector(Connector):
    key = "http"
    title = "Generic HTTP"
    description = "Any platform with a REST interface: segments are created and filled by requests you describe."
    settings_type = HttpSettings
    credentials_type = Credentials
    activation_type = ActivationSettings

    def __init__(self, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
        super().__init__(settings, credentials or msgspec.to_builtins(NoAuthentication()))
        http: HttpSettings = self.settings
        self.batch_size = http.batch_size if http.strategy == "micro_batch" else 1
        self.linger_ms = http.linger_ms
        self.strategy = Strategy(http.strategy)
        self.segment_source = SegmentSource.GIVEN if http.create is None else SegmentSource.CREATED
        self.removal = Removal(http.removal)
        self._create = None if http.create is None else _Compiled(http.create, batched=False)
        batched = http.strategy == "micro_batch"
        self._push = {Operation.ADD: _Compiled(http.add, batched=batched)}
        if http.remove is not None:
            self._push[Operation.REMOVE] = _Compiled(http.remove, batched=batched)
        self.one_segment_a_request = any(call.names_segment for call in self._push.values())

    @classmethod
    def validate_settings(cls, settings: dict[str, Any]) -> None:
        super().validate_settings(settings)
        http: HttpSettings = msgspec.convert(settings, HttpSettings)
        faults = list(_faults(http))
        if faults:
            raise ValidationError({"settings": faults})

    def creation(self, segment: Segment, timestamp: int) -> Request:
        if self._create is None:
            raise Misconfigured("this platform has no request that creates segments")
        return sign(self._create.request([_values(segment, timestamp)]), self.credentials)

    def segment_id(self, response: Response) -> Any:
        path = self.settings.create.segment_id
        try:
            found = jmespath.search(path, msgspec.json.decode(response.body))
        except msgspec.DecodeError:
            raise Refused(f"the answer is not JSON: {response.excerpt}") from None
        if not isinstance(found, str | int) or isinstance(found, bool) or found == "":
            raise Refused(f"the answer has no segment id at “{path}”: {response.excerpt}")
        return found

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        if operation not in self._push:
            raise Misconfigured("this platform has no request that removes members")
        rows: list[Values] = [
            _values(member.segment, timestamp)
            | {
                "segment_id": member.segment.id,
                "userid": member.platform_user_id,
                "user_id": str(member.user_id),
                "operation": operation.value,
            }
            for member in members
        ]
        return sign(self._push[operation].request(rows), self.credentials)


class _Compiled:
    """A call, ready to be filled in for rows."""

    def __init__(self, call: Call, *, batched: bool) -> None:
        self._method = call.method
        self._url = templates.url(call.url)
        self._headers = {name: templates.text(value) for name, value in call.headers.items()}
        self._body = _body(call.body, batched=batched)
        outside = [call.url, call.headers, templates.outside_rows(call.body)]
        self.names_segment = bool(templates.names(outside) & {"segment_id", "name", "audience_id"})

    def request(self, rows: list[Values]) -> Request:
        headers = {name: render(rows[0]) for name, render in self._headers.items()}
        body = None
        if self._body is not None:
            body = msgspec.json.encode(self._body(rows))
            headers = {"Content-Type": "application/json"} | headers
        return Request(self._method, self._url(rows[0]), headers, body)


def _body(body: Any, *, batched: bool) -> Callable[[list[Values]], Any] | None:
    if body is None:
        return None
    if batched:
        return templates.batch(body)
    render = templates.document(body)
    return lambda rows: render(rows[0])


def _values(segment: Segment, timestamp: int) -> dict[str, Any]:
    return {"name": segment.name, "audience_id": segment.audience, "timestamp": timestamp}


def _faults(http: HttpSettings) -> "list[str]":
    """Everything in the settings that cannot work, at once."""
    batched = http.strategy == "micro_batch"
    faults = _call_faults("add", http.add, ROW_NAMES, batched=batched)
    if http.create is not None:
        faults += _call_faults("create", http.create, SEGMENT_NAMES, batched=False)
        try:
            jmespath.compile(http.create.segment_id)
        except jmespath.exceptions.JMESPathError:
            faults.append("create.segment_id: not a JMESPath")
    if http.remove is not None:
        faults += _call_faults("remove", http.remove, ROW_NAMES, batched=batched)
    elif http.removal == "call":
        faults.append("remove: missing; or set removal to “none”")
    return faults


def _call_faults(name: str, call: Call, allowed: frozenset[str], *, batched: bool) -> list[str]:
    faults = []
    per_request = REQUEST_NAMES & allowed if batched else allowed
    checks: list[tuple[str, Any, frozenset[str]]] = [
        ("url", call.url, per_request), ("headers", call.headers, per_request), ("body", call.body, allowed),
    ]  # fmt: skip
    for part, template, names in checks:
        try:
            templates.check(template, names)
        except templates.TemplateError as wrong:
            faults.append(f"{name}.{part}: {wrong}")
    if batched:
        try:
            templates.batch(call.body)
        except templates.TemplateError as wrong:
            faults.append(f"{name}.body: {wrong}")
    if any("\n" in text or "\r" in text for pair in call.headers.items() for text in pair):
        faults.append(f"{name}.headers: line breaks are not allowed")
    return faults
