"""The table of what each connector can do, made from their declarations, for documentation and console."""

from collections.abc import Sequence

import msgspec

from integrations.connectors.base import Connector, Removal, SegmentSource, Strategy
from integrations.connectors.files import FileConnector
from integrations.connectors.registry import all_connectors

AS_SET_UP = "as set up"
COLUMNS = ("Connector", "Key", "Sends", "Most a request", "Segments", "Removal", "Knows users by", "Limits", "Check")

_SENDS = {
    Strategy.NO_BATCH: "one user a request",
    Strategy.MICRO_BATCH: "batches",
    Strategy.FILE: "files",
}
_SEGMENTS = {
    SegmentSource.CREATED: "created there",
    SegmentSource.GIVEN: "named in each activation",
    SegmentSource.ALLOCATED: "numbered here",
}
_REMOVAL = {
    Removal.CALL: "by a request",
    Removal.OPERATION: "in the file",
    Removal.TTL: "runs out",
    Removal.NONE: "not possible",
}
_LIMITS = {
    "per_second": "a second",
    "concurrent": "at once",
    "per_day": "a day",
    "files_per_hour": "files an hour",
    "bytes_per_day": "GB a day",
}


def rows() -> list[tuple[str, ...]]:
    """Return a row of `COLUMNS` for each connector, ordered by title; the connector `none` is last."""
    found = sorted(all_connectors().values(), key=lambda kind: (not kind.delivers, kind.title))
    return [_row(kind) for kind in found]


def markdown() -> str:
    """Return the table for docs/connectors/README.md."""
    lines = [COLUMNS, ["---"] * len(COLUMNS), *(_linked(row) for row in rows())]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _linked(row: Sequence[str]) -> list[str]:
    title, key, *rest = row
    return [f"[{title}]({key}.md)", f"`{key}`", *rest]


def _row(kind: type[Connector]) -> tuple[str, ...]:
    if not kind.delivers:
        return (kind.title, kind.key, "nothing", "", "", "", "", "", "")
    return (
        kind.title,
        kind.key,
        _unless_set(kind, "strategy", _SENDS[kind.strategy]),
        _unless_set(kind, "batch_size", "any number" if issubclass(kind, FileConnector) else f"{kind.batch_size:,}"),
        _unless_set(kind, "segment_source", _SEGMENTS[kind.segment_source]),
        _unless_set(kind, "removal", _REMOVAL[kind.removal]),
        _unless_set(kind, "own_ids", "our ids" if kind.own_ids else "its own ids"),
        _limits(kind),
        _unless_set(kind, "check_requests", _check(kind)),
    )


def _check(kind: type[Connector]) -> str:
    asks = kind.check_requests is not Connector.check_requests
    if issubclass(kind, FileConnector):
        return "writes a file and asks" if asks else "writes a file"
    return "asks" if asks else "settings only"


def _unless_set(kind: type[Connector], name: str, value: str) -> str:
    return AS_SET_UP if name in kind.set_by_settings else value


def _amount(name: str, value: float) -> str:
    return f"{value / 10**9:g}" if name == "bytes_per_day" else f"{value:,.0f}"


def _limits(kind: type[Connector]) -> str:
    known = msgspec.structs.asdict(kind.default_limits)
    texts = [f"{_amount(name, value)} {_LIMITS[name]}" for name, value in known.items() if value is not None]
    return ", ".join(texts) or "none known"
