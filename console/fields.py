"""Fields of the console's forms, with unfold's look: choices of rows, texts, moments and JSON."""

import json
from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import Model
from unfold.widgets import (
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from console.scoped import RowField
from core import strict_json
from core.time_zones import time_zone_names


def choose_row(model: type[Model], *related: str) -> RowField:
    """One of the rows that the person sees; the first is chosen beforehand. `related` is read with them."""
    return RowField(model, *related, empty_label=None, widget=UnfoldAdminSelectWidget)


def choose_any_row(model: type[Model], *related: str) -> RowField:
    """One of the rows that the person sees, or any. `related` is read with them."""
    return RowField(model, *related, required=False, empty_label="any", widget=UnfoldAdminSelectWidget)


def choose_any(choices: Sequence[tuple[str, Any]]) -> forms.ChoiceField:
    """One of the choices, or any."""
    return forms.ChoiceField(choices=[("", "any"), *choices], required=False, widget=UnfoldAdminSelectWidget)


def time_zone_choice() -> forms.Select:
    """A list of all time zones, in which one can search by typing."""
    widget: forms.Select = UnfoldAdminSelect2Widget(choices=[(name, name) for name in time_zone_names()])
    return widget


def text_field(label: str, **attributes: Any) -> forms.CharField:
    """A text that may be left empty. `attributes` are those of the HTML element."""
    return forms.CharField(required=False, label=label, widget=UnfoldAdminTextInputWidget(attrs=attributes))


def moment_field(label: str) -> forms.DateTimeField:
    """A moment to the second, in UTC like all times of the console, typed with the browser's calendar; or empty."""
    widget = UnfoldAdminTextInputWidget(attrs={"step": 1})
    widget.input_type = "datetime-local"
    return forms.DateTimeField(required=False, label=f"{label} (UTC)", widget=widget)


class JsonField(forms.JSONField):
    """JSON, written as indented text, in which keys named by `first` come in that order. Read strictly."""

    def __init__(self, *, rows: int = 8, first: Sequence[str] = (), **options: Any) -> None:
        self.first = {key: place for place, key in enumerate(first)}
        widget = UnfoldAdminTextareaWidget(attrs={"rows": rows, "class": "hub-code", "spellcheck": "false"})
        super().__init__(**{**options, "widget": widget})

    def to_python(self, value: Any) -> Any:
        """Return the value of the text; None: it is empty. Raises ValidationError."""
        if value in self.empty_values:
            return None
        if not isinstance(value, str):
            return value
        try:
            return strict_json.read(value)
        except strict_json.StrictJsonError as error:
            raise forms.ValidationError(f"Enter a valid JSON. {error.message}", "invalid") from None

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what the form shows again: what was typed, where it is no JSON."""
        try:
            return super().bound_data(data, initial) if self.disabled else self.to_python(data)
        except forms.ValidationError:
            return forms.fields.InvalidJSONInput(_shown(data))

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, str | forms.fields.InvalidJSONInput):
            return value
        return "" if value is None else json.dumps(self._ordered(value), indent=2, ensure_ascii=False)

    def _ordered(self, value: Any) -> Any:
        """PostgreSQL keeps the keys of an object in an order of its own."""
        if isinstance(value, list):
            return [self._ordered(item) for item in value]
        if not isinstance(value, dict):
            return value
        keys = sorted(value, key=lambda key: self.first.get(key, len(self.first)))
        return {key: self._ordered(value[key]) for key in keys}


def _shown(text: str) -> str:
    """Return the text as a page can hold it."""
    return text.encode(errors="replace").decode()
