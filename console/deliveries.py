"""The delivery log (every request to a platform) and the dead letters (what platforms finally refused)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from activation import dead_letters as letters
from activation.models import Activation, Batch, DeadLetter, LetterReplay, UploadedFile
from activation.stores import uploaded_files
from activation.stores.dead_letters import Key
from console.access import sees_persons
from console.cells import excerpt, mono, number, state, unbroken, when
from console.fields import choose_any, choose_any_row, moment_field, text_field
from console.logs import Filter, Log, Replay, choice_box, key, where
from console.scoped import ScopedForm
from core import clock
from core.scope import Scope
from integrations.models import Platform

# replays that are shown above the dead letters
SHOWN = 5
SHOWN_FOR = timedelta(days=1)


class BatchFilterForm(ScopedForm):
    platform = choose_any_row(Platform)
    activation = choose_any_row(Activation, "audience", "platform")
    status = choose_any(Batch.Status.choices)
    started_after = moment_field("Started after")
    started_before = moment_field("Started before")


def _batches(scope: Scope, wanted: Filter) -> QuerySet[Batch]:
    found = where(
        scope.of(Batch),
        platform_id=key(wanted.get("platform")),
        status=wanted.get("status"),
        started_at__gte=wanted.get("started_after"),
        started_at__lt=wanted.get("started_before"),
    )
    activation = wanted.get("activation")
    if activation is None:
        return found
    return found.filter(platform_id=activation.platform_id, activations__contains=activation.pk)


def _batch_rows(scope: Scope, rows: list[Batch]) -> Iterator[list[Any]]:
    names = scope.of(Platform).in_bulk({row.platform_id for row in rows})
    files = uploaded_files.by_batch(row.id for row in rows)
    return (_batch_cells(row, names, files.get(row.id)) for row in rows)


def _batch_cells(row: Batch, names: dict[int, Platform], file: UploadedFile | None) -> list[Any]:
    took = f"{(row.finished_at - row.started_at).total_seconds():.3f} s" if row.finished_at else ""
    return [
        when(row.started_at),
        unbroken(took),
        names.get(row.platform_id, row.platform_id),
        row.operation,
        state(row.status),
        unbroken(f"{number(row.accepted)} of {number(row.rows)}"),
        number(row.requests),
        mono(row.response_status or ""),
        excerpt(row.request_excerpt),
        excerpt(f"{_processing(file)}{row.error or row.response_excerpt}"),
    ]


def _processing(file: UploadedFile | None) -> str:
    """What the platform's processing log says of the batch's file."""
    if file is None:
        return ""
    return f"{file.file_name}: {file.fate}{f' ({file.reason})' if file.reason else ''}\n"


BATCHES = Log(
    title="Batches",
    headers=[
        *("Started", "Took", "Platform", "Operation", "Status", "Rows", "Requests", "Answer", "Request", "Response"),
    ],
    ordering=("-started_at", "-bucket", "-id"),
    form=BatchFilterForm,
    find=_batches,
    cells=_batch_rows,
)


# excerpts name people; both stand in the last columns
BATCHES_WITHOUT_EXCERPTS = replace(
    BATCHES, headers=BATCHES.headers[:-2], cells=lambda scope, rows: (cells[:-2] for cells in _batch_rows(scope, rows))
)


@permission_required("activation.view_batch", raise_exception=True)
def batches(request: HttpRequest) -> HttpResponse:
    return (BATCHES if sees_persons(request) else BATCHES_WITHOUT_EXCERPTS).show(request)


class DeadLetterFilterForm(ScopedForm):
    activation = choose_any_row(Activation, "audience", "platform")
    reason = text_field("Reason contains")


def _dead_letters(scope: Scope, wanted: Filter) -> QuerySet[DeadLetter]:
    activation, reason = key(wanted.get("activation")), wanted.get("reason")
    return where(scope.of(DeadLetter), activation_id=activation, reason__icontains=reason)


def _dead_letter_rows(scope: Scope, rows: list[DeadLetter]) -> Iterator[list[Any]]:
    names = _named(scope, {row.activation_id for row in rows})
    return (_dead_letter_cells(row, names) for row in rows)


def _named(scope: Scope, activations: Iterable[int]) -> dict[int, Activation]:
    return scope.of(Activation).select_related("audience", "platform").in_bulk(set(activations))


def _dead_letter_cells(row: DeadLetter, names: dict[int, Activation]) -> list[Any]:
    return [
        choice_box(letters.name(row)),
        when(row.died_at),
        names.get(row.activation_id, row.activation_id),
        mono(row.platform_user_id),
        row.operation,
        number(row.attempts),
        excerpt(row.reason),
        excerpt(row.response_excerpt),
    ]


def _replay_named(scope: Scope, names: list[str]) -> int:
    return letters.replay(letters.named(scope.of(DeadLetter), list(_keys(names))))


def _keys(names: list[str]) -> Iterator[Key]:
    for name in names:
        try:
            yield letters.key(name)
        except ValueError:
            continue


def _replay_every(found: QuerySet[DeadLetter], wanted: Filter) -> int:
    return letters.replay_all(found, wanted.get("activation"), wanted.get("reason") or "")[0]


def _replays(scope: Scope) -> Sequence[str]:
    """What is said of replays in the background: those of today."""
    jobs = list(scope.of(LetterReplay).filter(requested_at__gt=clock.now() - SHOWN_FOR).order_by("-id")[:SHOWN])
    names = _named(scope, {job.activation_id for job in jobs if job.activation_id})
    return [_replay_note(one, names) for one in letters.progress(jobs)]


def _replay_note(one: letters.ReplayProgress, names: dict[int, Activation]) -> str:
    job = one.replay
    of = f" of {names[job.activation_id]}" if job.activation_id in names else ""
    state = "done" if one.is_done else f"under way, {one.percent} % looked through"
    return (
        f"Replay of {job.requested_at:%Y-%m-%d %H:%M} UTC: {number(one.replayed)} of {number(job.letters)} letters{of}"
        f" were sent again ({state})."
    )


DEAD_LETTERS = Log(
    title="Dead letters",
    headers=["", "Died", "Activation", "Platform's id", "Operation", "Attempts", "Reason", "Response"],
    ordering=("-died_at", "-bucket", "-activation_id", "-platform_user_id"),
    form=DeadLetterFilterForm,
    find=_dead_letters,
    cells=_dead_letter_rows,
    replay=Replay(
        permission="activation.change_deadletter",
        every=_replay_every,
        named=_replay_named,
        done="are sent again, as they are wanted today.",
        none="None was chosen.",
    ),
    notes=_replays,
)


@permission_required("activation.view_deadletter", raise_exception=True)
def dead_letters(request: HttpRequest) -> HttpResponse:
    """Read why, mend the cause, send it again."""
    return DEAD_LETTERS.show(request)
