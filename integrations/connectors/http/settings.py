"""The settings of a generic HTTP platform: request templates. All errors are found at once."""

from typing import Annotated, Any, Literal

import msgspec

from integrations import header_names, templates
from integrations.answers import conditions, expressions
from integrations.answers.conditions import AnswerCondition
from integrations.answers.items import ItemResults
from integrations.credential_binding import origin_of
from integrations.errors import MisconfiguredError
from integrations.templates import REQUEST_NAMES, ROW_NAMES, SEGMENT_NAMES

HEADER = "header:"
READ_NAMES = SEGMENT_NAMES | {"segment_id", "cursor"}

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Texts = dict[str, str]


class Call(msgspec.Struct, forbid_unknown_fields=True):
    """A request template. `query` is added to the URL, percent-encoded."""

    method: Method
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://", description="may hold {{placeholders}}")]
    headers: Texts = {}
    query: Texts = {}
    body: Any = None


class CreateCall(Call, forbid_unknown_fields=True):
    """`segment_id`: where the answer holds the segment's id."""

    segment_id: Annotated[
        str, msgspec.Meta(description="A JMESPath of the answer, or header:<name> (of Location: the last part)")
    ] = "segment_id"


class FindCall(Call, forbid_unknown_fields=True):
    """How a segment is found by its name, if the platform has one already, or the answer to its creation was lost."""

    list: Annotated[str, msgspec.Meta(description="A JMESPath of the segments in the answer: a list, or one")] = "@"
    name: Annotated[
        str,
        msgspec.Meta(description="In a segment: its name, which must be {{name}}; empty: all that are answered fit"),
    ] = "name"
    segment_id: Annotated[str, msgspec.Meta(description="In a segment: its id")] = "id"


class ReadCall(Call, forbid_unknown_fields=True):
    """How a segment is read back, a page at a time; {{cursor}} is empty for the first one."""

    ids: Annotated[str, msgspec.Meta(description="A JMESPath of the list of user ids in the answer")] = "userids"
    next: Annotated[str, msgspec.Meta(description="A JMESPath of the next page's {{cursor}}; empty: one page")] = ""


class HttpSettings(msgspec.Struct, forbid_unknown_fields=True):
    """How to speak to the platform. Without `create`, each activation is given its segment id."""

    add: Call
    create: CreateCall | None = None
    remove: Call | None = None
    check: Annotated[
        Call | None, msgspec.Meta(description="A request without placeholders that changes nothing, to check with")
    ] = None
    read: ReadCall | None = None
    find: FindCall | None = None
    strategy: Literal["no_batch", "micro_batch"] = "micro_batch"
    batch_size: Annotated[int, msgspec.Meta(ge=10, le=1000)] = 1000
    linger_ms: Annotated[int, msgspec.Meta(ge=0, le=60_000)] = 100
    id_source: Annotated[
        Literal["mapping", "own"],
        msgspec.Meta(description="whose ids the platform knows: its own, by user sync, or ours"),
    ] = "mapping"
    removal: Literal["call", "ttl", "none"] = "call"
    ttl_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] | None = None
    success: Annotated[
        str, msgspec.Meta(description="A JMESPath of the answer that is true where the platform took the request")
    ] = ""
    answers: Annotated[
        list[AnswerCondition], msgspec.Meta(description="What answers mean; the first that holds decides")
    ] = []
    items: Annotated[
        ItemResults | None, msgspec.Meta(description="Where an answer says of each row what became of it")
    ] = None


class ActivationSettings(msgspec.Struct, forbid_unknown_fields=True):
    """The segment's id at the platform, where the platform is not asked to create one."""

    segment_id: int | str | None = None


def faults(http: HttpSettings) -> list[str]:
    """Return every error of the settings."""
    batched = http.strategy == "micro_batch"
    found = _call_faults("add", http.add, ROW_NAMES, batched=batched)
    if http.create is not None:
        found += _call_faults("create", http.create, SEGMENT_NAMES, batched=False)
        found += _place_faults(http.create.segment_id)
    if http.remove is not None:
        found += _call_faults("remove", http.remove, ROW_NAMES, batched=batched)
    if http.check is not None:
        found += _call_faults("check", http.check, frozenset(), batched=False)
    if http.read is not None:
        found += _call_faults("read", http.read, READ_NAMES, batched=False)
        found += _path_faults("read.ids", http.read.ids)
        found += _path_faults("read.next", http.read.next) if http.read.next else []
    found += _find_faults(http)
    if http.success:
        found += _path_faults("success", http.success)
    found += conditions.faults(http.answers)
    if http.items is not None:
        found += conditions.expression_faults("items", **http.items.paths)
    return found + _removal_faults(http)


def _find_faults(http: HttpSettings) -> list[str]:
    if http.find is None:
        return []
    found = [] if http.create is not None else ["find: goes with create only"]
    found += _call_faults("find", http.find, SEGMENT_NAMES, batched=False)
    paths = {"list": http.find.list, "name": http.find.name, "segment_id": http.find.segment_id}
    return found + conditions.expression_faults("find", **paths)


def _removal_faults(http: HttpSettings) -> list[str]:
    found = []
    if http.remove is None and http.removal == "call":
        found.append("remove: missing; or set removal to “ttl” or “none”")
    if (http.ttl_days is not None) != (http.removal == "ttl"):
        found.append("ttl_days: goes with removal “ttl”, and only with it")
    return found


def _place_faults(segment_id: str) -> list[str]:
    if segment_id.startswith(HEADER):
        name = segment_id.removeprefix(HEADER)
        return [] if name.strip() == name and name else ["create.segment_id: names no header"]
    return _path_faults("create.segment_id", segment_id)


def _path_faults(place: str, expression: str) -> list[str]:
    try:
        expressions.check(expression)
    except expressions.ExpressionError as error:
        return [f"{place}: {error}"]
    return []


def _call_faults(name: str, call: Call, allowed: frozenset[str], *, batched: bool) -> list[str]:
    found = []
    try:
        origin_of(call.url)
    except MisconfiguredError as wrong:
        found.append(f"{name}.url: {wrong}")
    per_request = REQUEST_NAMES & allowed if batched else allowed
    checks: list[tuple[str, Any, frozenset[str]]] = [
        ("url", call.url, per_request),
        ("headers", call.headers, per_request),
        ("query", call.query, per_request),
        ("body", call.body, allowed),
    ]
    for part, template, names in checks:
        try:
            templates.check(template, names)
        except templates.TemplateError as wrong:
            found.append(f"{name}.{part}: {wrong}")
    if batched:
        try:
            templates.batch(call.body)
        except templates.TemplateError as wrong:
            found.append(f"{name}.body: {wrong}")
    found += [f"{name}.headers: {fault}" for fault in map(header_names.fault_of, call.headers) if fault]
    if any("\n" in text or "\r" in text for text in call.headers.values()):
        found.append(f"{name}.headers: line breaks are not allowed")
    return found
