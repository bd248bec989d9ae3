"""Compiled request templates, which are filled in for rows."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import msgspec

from core.patterns import has_control
from integrations import templates
from integrations.connectors.http.settings import Call
from integrations.errors import RefusedError
from integrations.http import Request
from integrations.templates import Values


class CompiledCall:
    """A compiled request template.

    `names_segment`: URL or headers name the segment, so a request is for one segment. `attributes`: the dotted paths of
    the profile that it needs.
    """

    def __init__(self, call: Call, *, batched: bool) -> None:
        self._method = call.method
        self._url = templates.url(_address(call))
        self._headers = {name: templates.text(value) for name, value in call.headers.items()}
        self._body = _body(call.body, batched=batched)
        whole = [call.url, call.query, call.headers]
        outside = [*whole, templates.outside_rows(call.body)]
        self.names_segment = bool(templates.names(outside) & {"segment_id", "name", "audience_id"})
        self.attributes = templates.attribute_paths([*whole, call.body])

    def request(self, rows: list[Values]) -> Request:
        headers = {name: _header_value(name, render(rows[0])) for name, render in self._headers.items()}
        body = None
        if self._body is not None:
            body = msgspec.json.encode(self._body(rows))
            headers = {"Content-Type": "application/json"} | headers
        return Request(self._method, self._url(rows[0]), headers, body)


def _header_value(name: str, value: str) -> str:
    """Return a value as it can stand in a header: in UTF-8, without blanks around it.

    Raises `RefusedError` for a value that holds control characters, which is a fault of the row.
    """
    if has_control(value):
        raise RefusedError(f"the header {name} would hold a line break or another control character")
    return value.strip().encode().decode("latin-1")


def _address(call: Call) -> str:
    """Return URL and query as one template. The constant parts of the query are encoded here."""
    if not call.query:
        return call.url
    written = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in call.query.items())
    return f"{call.url}{'&' if '?' in call.url else '?'}{written}"


def _encoded(template: str) -> str:
    parts = templates.split(template)
    return "".join(f"{{{{{part}}}}}" if index % 2 else quote(part, safe="") for index, part in enumerate(parts))


def _body(body: Any, *, batched: bool) -> Callable[[list[Values]], Any] | None:
    if body is None:
        return None
    if batched:
        return templates.batch(body)
    render = templates.document(body)
    return lambda rows: render(rows[0])
