"""Cells of the console's tables."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

Table = dict[str, Any]
TONES = {
    "good": "bg-green-100 text-green-700 dark:bg-green-500/20 dark:text-green-400",
    "bad": "bg-red-100 text-red-700 dark:bg-red-500/20 dark:text-red-400",
    "busy": "bg-blue-100 text-blue-700 dark:bg-blue-500/20 dark:text-blue-400",
    "wait": "bg-orange-100 text-orange-700 dark:bg-orange-500/20 dark:text-orange-400",
}
STATES = {
    **dict.fromkeys(("live", "done", "in", "yes"), "good"),
    **dict.fromkeys(("broken", "failed", "dead", "open"), "bad"),
    **dict.fromkeys(("building", "pending", "sending", "running", "probing", "ending"), "busy"),
    **dict.fromkeys(("paused", "unknown", "due", "partial", "waiting", "slowed", "deleting"), "wait"),
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
