"""The part of a platform's form that follows what is typed: what the connector needs, and what it would send."""

from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from activation import platform_status
from console import schema_help
from console.scoped import row_or_404
from core import strict_json
from integrations import services
from integrations.connectors.base import Connector
from integrations.connectors.files import FileConnector
from integrations.connectors.registry import all_connectors
from integrations.models import Platform
from integrations.previews import samples
from integrations.uploads.folder import FileOwner
from integrations.validation import check_connector

MAY = ("integrations.add_platform", "integrations.change_platform")


def preview(request: HttpRequest, object_id: str | None = None) -> HttpResponse:
    """Show the requests that a form's present values would send.

    A platform that exists uses its stored credentials where none are typed. Stores and sends nothing, and shows no
    secret.
    """
    kind = _kind(request)
    if kind is None:
        return render(request, "console/platform_preview.html", {})
    context = {**_described(kind), "tables": _tables(kind), **_tried(kind, request, object_id)}
    return render(request, "console/platform_preview.html", context)


def check(request: HttpRequest, object_id: str | None = None) -> HttpResponse:
    """Ask the platform whether it accepts what the form holds now. Nothing is stored, and nothing changed there."""
    kind = _kind(request)
    try:
        found = None if kind is None else _asked(kind, request, object_id)
    except ValidationError:
        found = {"ok": False, "error": "the settings do not fit yet"}
    return render(request, "console/platform_check.html", {"found": found, "rows": check_rows(found or {})})


def check_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a check found, for people: names and texts."""
    rows = [(name, value) for name, value in found.items() if name not in {"ok", "asked"} and value != []]
    return [
        (name.replace("_", " "), "; ".join(map(str, value)) if isinstance(value, list) else str(value))
        for name, value in rows
    ]


def _asked(kind: type[Connector], request: HttpRequest, object_id: str | None) -> dict[str, Any]:
    platform = _platform(request, object_id)
    keys = {} if platform is None else platform_status.host_keys(platform.pk)
    owner = None if platform is None else FileOwner(platform.customer_id, platform.pk)
    return services.try_connector(_ready(kind, request, object_id), keys, owner)


def _kind(request: HttpRequest) -> type[Connector] | None:
    if request.method != "POST" or not request.user.has_perms(MAY):
        raise PermissionDenied
    return all_connectors().get(request.POST.get("connector", ""))


def _ready(kind: type[Connector], request: HttpRequest, object_id: str | None) -> Connector:
    settings = _typed(request, "settings")
    credentials = _typed(request, "new_credentials") or _stored(_platform(request, object_id))
    check_connector(kind.key, settings, credentials)
    return kind(settings, credentials)


def _described(kind: type[Connector]) -> dict[str, Any]:
    notes = [" ".join(paragraph.split()) for paragraph in kind.notes.split("\n\n")]
    return {
        "heading": kind.title,
        "description": kind.description,
        "notes": filter(None, notes),
        "delivers": kind.delivers,
        "asks": kind.check_requests is not Connector.check_requests or issubclass(kind, FileConnector),
    }


def _tried(kind: type[Connector], request: HttpRequest, object_id: str | None) -> dict[str, Any]:
    """Return the requests, or everything that is wrong with the settings."""
    try:
        ready = _ready(kind, request, object_id)
    except ValidationError as wrong:
        return {"faults": [f"{place}: {fault}" for place, faults in _by_place(wrong) for fault in faults]}
    return {"samples": list(samples(ready)) if ready.delivers else [], "warnings": ready.warnings()}


def _typed(request: HttpRequest, name: str) -> dict[str, Any]:
    text = request.POST.get(name, "").strip()
    try:
        value = strict_json.read(text) if text else {}
    except strict_json.StrictJsonError:
        raise ValidationError({name: ["This is no JSON yet."]}) from None
    if not isinstance(value, dict):
        raise ValidationError({name: ["This must be a JSON object."]})
    return value


def _platform(request: HttpRequest, object_id: str | None) -> Platform | None:
    """Return the platform whose form it is; None while it is made."""
    return None if object_id is None else row_or_404(request, Platform, object_id)


def _stored(platform: Platform | None) -> dict[str, Any]:
    """Return the platform's credentials, which are bound to where they were given for: no preview takes that off."""
    return platform.credentials if platform else {}


def _by_place(wrong: ValidationError) -> list[tuple[str, list[str]]]:
    if not hasattr(wrong, "error_dict"):
        return [("settings", list(wrong.messages))]
    return [(place.replace("new_credentials", "credentials"), faults) for place, faults in wrong.message_dict.items()]


def _tables(kind: type[Connector]) -> list[tuple[str, list[schema_help.SchemaField]]]:
    schemas = (
        ("Settings", kind.settings_schema()),
        ("Credentials", kind.credentials_schema()),
        ("Settings of each activation", kind.activation_schema()),
    )
    found = [(title, schema_help.fields(schema)) for title, schema in schemas]
    return [(title, fields) for title, fields in found if fields]
