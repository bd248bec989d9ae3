"""Moments that are typed: with the browser's own calendar, in UTC like all times of the console."""

from django import forms
from unfold.widgets import UnfoldAdminTextInputWidget


def moment_field(label: str) -> forms.DateTimeField:
    """To the second; may be left empty."""
    widget = UnfoldAdminTextInputWidget(attrs={"step": 1})
    widget.input_type = "datetime-local"
    return forms.DateTimeField(required=False, label=f"{label} (UTC)", widget=widget)
