"""What others may do with exports: make and change them, and have a file made now."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from audiences.models import Audience
from core import audit, clock
from core.patterns import whole
from integrations.connectors.file.connector import FileDrop
from integrations.models import Platform
from pipeline.exports import files, formats
from pipeline.exports.columns import UnknownFieldError, columns_of
from pipeline.models import Export, ExportRun

LEAST_MINUTES, MOST_MINUTES = 5, 366 * 24 * 60
MOST_EXPORTS = 200
"""Of a customer."""

is_name = whole(r"[A-Za-z0-9][A-Za-z0-9 _-]{0,99}+")
_CHANGEABLE = ("name", "format", "fields", "every_minutes", "starts_at", "paused")


def create(audience: Audience, values: dict[str, Any], platform: Platform | None, *, by: str = "") -> Export:
    """Make an export. `values` by the model's names; the first file is made at `starts_at`, or at once.

    Raises `ValidationError` by field.
    """
    row = Export(customer_id=audience.customer_id, audience=audience, platform=platform, created_by=by[:200])
    row.starts_at = clock.now()
    _take(row, values)
    row.due_at = row.starts_at
    if Export.objects.filter(customer_id=row.customer_id).count() >= MOST_EXPORTS:
        raise ValidationError(f"a customer may have {MOST_EXPORTS} exports")
    with transaction.atomic():
        row.save()
        _record("create", row)
    return row


def change(export: Export, values: dict[str, Any]) -> None:
    """Change what a person may change. Another time or interval begins a new schedule. Raises as `create` does."""
    with transaction.atomic():
        row = Export.objects.select_for_update(of=("self",)).get(pk=export.pk)
        before = (row.every_minutes, row.starts_at)
        _take(row, values)
        if (row.every_minutes, row.starts_at) != before:
            row.due_at = _next(row, clock.now())
        row.save()
        _record("change", row)
    export.refresh_from_db()


def run_now(export: Export) -> ExportRun:
    """Have a file made as soon as a process is free, beside the schedule."""
    with transaction.atomic():
        run, _ = ExportRun.objects.get_or_create(export=export, slot=clock.now())
        _record("run", export)
    return run


def delete(export: Export) -> None:
    """Delete an export, with the files of it that are with the hub."""
    with transaction.atomic():
        runs = list(ExportRun.objects.filter(export=export).select_related("export__platform"))
        _record("delete", export)
        export.delete()
        transaction.on_commit(lambda: files.unlink(runs))


def plan(now: datetime) -> int:
    """Make a run of every slot that has come; returns how many. Of slots that were missed, only the last has one."""
    made = 0
    for pk in Export.objects.filter(due_at__lte=now, paused=False).values_list("pk", flat=True)[:100]:
        with transaction.atomic():
            due = Export.objects.filter(pk=pk, due_at__lte=now, paused=False)
            row = due.select_for_update(skip_locked=True, of=("self",)).first()
            if row is not None:
                following = _next(row, now)
                every = timedelta(minutes=row.every_minutes or 0)
                slot = row.due_at or now if following is None else following - every
                ExportRun.objects.get_or_create(export=row, slot=slot)
                row.due_at = following
                row.save(update_fields=["due_at"])
                made += 1
    return made


def _next(row: Export, now: datetime) -> datetime | None:
    """Returns the first slot that is still to come; None if there is none."""
    if row.starts_at > now:
        return row.starts_at
    if row.every_minutes is None:
        return None
    every = timedelta(minutes=row.every_minutes)
    return row.starts_at + ((now - row.starts_at) // every + 1) * every


def _take(row: Export, values: dict[str, Any]) -> None:
    for name in _CHANGEABLE:
        if (name in values and values[name] is not None) or (name == "every_minutes" and name in values):
            setattr(row, name, values[name])
    faults = {name: why for name, why in _faults(row).items() if why}
    if faults:
        raise ValidationError(faults)


def _faults(row: Export) -> dict[str, str]:
    """Returns what is wrong with each field; an empty text where nothing is."""
    every = row.every_minutes
    names = "letters, digits, blanks, - and _, at most 100, the first a letter or a digit"
    found = {
        "name": "" if is_name(row.name) else f"files are called after it: {names}",
        "every_minutes": ""
        if every is None or LEAST_MINUTES <= every <= MOST_MINUTES
        else f"must be {LEAST_MINUTES} to {MOST_MINUTES}, or null: once",
        "format": "" if row.format in Export.Format.values else "must be csv or parquet",
        "fields": _fault_of_fields(row, row.fields),
        "audience": "" if row.audience.status != Audience.Status.DELETING else "is being deleted",
    }
    if row.platform is not None:
        fits = row.platform.customer_id == row.customer_id and row.platform.connector == FileDrop.key
        found["platform"] = "" if fits else f"must be a platform of the customer's with the connector {FileDrop.key}"
    return found


def _fault_of_fields(row: Export, names: Sequence[str]) -> str:
    try:
        columns_of(row.customer, names)
    except UnknownFieldError as error:
        return str(error)
    return ""


def check_format(format_: str) -> None:
    """Raises MissingExtraError where this installation cannot write the format."""
    formats.require(format_)


def _record(action: str, row: Export) -> None:
    after = {
        "audience": row.audience_id,
        "format": row.format,
        "fields": row.fields,
        "platform": row.platform_id,
        "every_minutes": row.every_minutes,
        "paused": row.paused,
    }
    audit.record(action, "export", row.pk or "", row.name, customer=row.customer_id, after=after)
