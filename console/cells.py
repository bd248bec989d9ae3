"""Cells of the console's tables."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from console.access import sees_persons
from pipeline.health.words import HealthWord

Table = dict[str, Any]
Judge = Callable[[Iterable[Any]], Mapping[int, HealthWord]]
"""A function of `pipeline.health.reading`."""
TONES = {
    "good": "bg-green-100 text-green-700 dark:bg-green-500/20 dark:text-green-400",
    "bad": "bg-red-100 text-red-700 dark:bg-red-500/20 dark:text-red-400",
    "busy": "bg-blue-100 text-blue-700 dark:bg-blue-500/20 dark:text-blue-400",
    "wait": "bg-orange-100 text-orange-700 dark:bg-orange-500/20 dark:text-orange-400",
}
STATES = {
    **dict.fromkeys(("live", "done", "in", "yes", "ok"), "good"),
    **dict.fromkeys(("broken", "failed", "dead", "open"), "bad"),
    **dict.fromkeys(("building", "pending", "sending", "running", "probing", "ending", "working"), "busy"),
    **dict.fromkeys(("paused", "unknown", "due", "partial", "waiting", "slowed", "deleting", "degraded"), "wait"),
}


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """What unfold's table component shows."""
    return {"headers": list(headers), "rows": [list(row) for row in rows]}


def when(moment: datetime | None) -> str:
    return "" if moment is None else unbroken(timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S"))


def unbroken(text: str) -> SafeString:
    return format_html('<span class="whitespace-nowrap">{}</span>', text)


def mono(value: Any) -> SafeString:
    return format_html('<span class="hub-mono">{}</span>', value)


def json_text(value: Any) -> SafeString:
    return mono(json.dumps(value, ensure_ascii=False, default=str))


def excerpt(text: str | None) -> SafeString:
    return format_html('<pre class="hub-code hub-excerpt">{}</pre>', text or "")


def state(name: str) -> SafeString:
    tone = TONES.get(STATES.get(name, ""), "bg-base-500/8 text-base-700 dark:bg-base-500/20 dark:text-base-200")
    return format_html(
        '<span class="inline-block font-semibold h-6 leading-6 px-2 rounded-default text-[11px] uppercase'
        ' whitespace-nowrap {}">{}</span>',
        tone,
        name,
    )


def health(word: HealthWord | None, *, persons: bool) -> SafeString:
    """How something is doing: the word, the sentence, and what to do. `persons`: whether to quote a platform."""
    if word is None:
        return SafeString("")
    since = "" if word.since is None else f"since {timezone.localtime(word.since):%Y-%m-%d %H:%M}"
    return format_html(
        '{} {}<br><span class="hub-muted text-xs">{}</span>',
        state(word.state.value),
        word.sentence(persons=persons),
        " · ".join(filter(None, (since, word.action))),
    )


def note_health(request: HttpRequest, rows: Iterable[Any], judge: Judge) -> None:
    """Keep with each row of a page how it is doing, and whether the person may see the words of platforms."""
    found, persons = list(rows), sees_persons(request)
    words = judge(found)
    for row in found:
        row.known_health, row.quotes_shown = words[row.pk], persons


def shown_health(row: Any) -> SafeString:
    """Return the cell of a row whose health was noted."""
    return health(row.known_health, persons=row.quotes_shown)


def link(href: str, text: Any) -> SafeString:
    return format_html('<a class="text-primary-600 dark:text-primary-500" href="{}">{}</a>', href, text)


def number(value: int) -> str:
    return f"{value:,}"


def share(part: int, whole: int) -> str:
    """A bar of how much of the whole is done."""
    if whole <= 0:
        return ""
    percent = max(0, min(100, round(100 * part / whole)))
    return format_html('<div class="hub-bar" title="{}%"><span style="width: {}%"></span></div>', percent, percent)
