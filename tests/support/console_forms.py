"""Filling in the console's forms as a browser does."""

import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client


class _Fields(HTMLParser):
    """What a page's form would send untouched."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._name: str | None = None
        self._select: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        had = dict(attrs)
        name = had.get("name") or ""
        if tag == "input" and name and (had.get("type") not in {"checkbox", "radio", "submit"} or "checked" in had):
            self.values[name] = had.get("value") or ("on" if had.get("type") == "checkbox" else "")
        if tag == "textarea":
            self._name, self.values[name] = name, ""
        if tag == "select":
            self._select = name
        if tag == "option" and self._select and "selected" in had:
            self.values[self._select] = had.get("value") or ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._name = None

    def handle_data(self, data: str) -> None:
        if self._name:
            self.values[self._name] += data


def submit(client: Client, address: str, **typed: Any) -> str:
    """Open the page, type (None: clear a check box), press Save; the page that comes then."""
    page = client.get(address).content.decode()
    form = re.search(r'<form[^>]*method="post"[^>]*id="[a-z]+_form".*?</form>', page, re.DOTALL)
    assert form, f"{address} has no form"
    values = _Fields(form.group(0)).values
    left = {name: value for name, value in values.items() if "__prefix__" not in name}
    sent = {name: value for name, value in {**left, **typed, "_save": "Save"}.items() if value is not None}
    return client.post(address, sent, follow=True).content.decode()
