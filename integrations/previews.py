"""Previews of what a connector would send, with sample members. Secrets are masked and nothing is sent."""

import gzip
from collections.abc import Callable, Iterator
from functools import partial
from uuid import UUID

import msgspec

from core import clock
from integrations.connectors.base import Connector, Member, Operation, Segment, SegmentSource
from integrations.connectors.files import FileConnector, MemberChange
from integrations.errors import IntegrationError
from integrations.http import Request

MASK = "•••"
USERS = (UUID("2c3753c5-9a67-4600-8044-a5d7e0c5f6d7"), UUID("4e2754c5-5562-4601-9742-a9d7e2c3fef9"))


def request_text(request: Request) -> str:
    """Return the request as text: method and address, headers, an empty line, the body."""
    hidden = {**dict.fromkeys(request.secret_headers, MASK), **({"Authorization": MASK} if request.basic else {})}
    query = "&".join(f"{name}={MASK}" for name in request.secret_query)
    address = request.url + (("&" if "?" in request.url else "?") + query if query else "")
    lines = [f"{request.method} {address}"]
    lines += [f"{name}: {value}" for name, value in {**request.headers, **hidden}.items()]
    return "\n".join([*lines, "", _body(request.body)]) if request.body else "\n".join(lines)


def samples(connector: Connector) -> Iterator[tuple[str, str]]:
    """Yield (title, request or file as text) for everything that the connector would send."""
    if connector.segment_source is SegmentSource.CREATED:
        new = _segment(connector, known=False)
        yield "Create the segment", _text_or_error(lambda: connector.creation_request(new, _now()))
    if isinstance(connector, FileConnector):
        yield sample_file(connector)
        return
    members = _members(connector)[: connector.batch_size]
    operations = list(Operation) if connector.removal.is_sent else [Operation.ADD]
    for operation in operations:
        title = "Add members" if operation is Operation.ADD else "Remove members"
        yield title, _text_or_error(partial(connector.push, operation, members, _now()))


def sample_file(connector: FileConnector) -> tuple[str, str]:
    """Return name and text of a file with two users: one joins a segment, the other leaves it."""
    at = clock.now()
    members = _members(connector)
    name = connector.file_name(connector.partition(members[0]), at, 0)
    content = connector.header(connector.partition(members[0]), name, at)
    for member, operation in zip(members, Operation, strict=True):
        content += b"".join(connector.lines([MemberChange(member, operation)]))
    return name, content.decode()


def file_content(name: str, text: str) -> bytes:
    """Return the bytes of a file, compressed if its name ends in `.gz`."""
    raw = text.encode()
    return gzip.compress(raw, mtime=0) if name.endswith(".gz") else raw


def _members(connector: Connector) -> list[Member]:
    attributes = dict.fromkeys(sorted(connector.wanted_attributes), "sample")
    segment = _segment(connector, known=True)
    return [Member(segment, str(user), user, attributes) for user in USERS]


def _segment(connector: Connector, *, known: bool) -> Segment:
    settings = {"segment_id": 12345, "pixel_id": 12345, "mapping_id": "mapping"}
    taken = {name: value for name, value in settings.items() if name in connector.activation_type.__struct_fields__}
    return Segment(1, 12345 if known else None, 1, "My segment", taken, 1, 1)


def _now() -> int:
    return clock.now_seconds()


def _text_or_error(build: Callable[[], Request]) -> str:
    try:
        return request_text(build())
    except IntegrationError as wrong:
        return str(wrong)


def _body(body: bytes) -> str:
    """Return JSON with line breaks, anything else as it is."""
    try:
        return msgspec.json.format(body, indent=2).decode()
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")
