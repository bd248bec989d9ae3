"""Files of profiles, written and imported."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from pipeline.imports import files, services
from pipeline.imports.run import run
from pipeline.models import Import
from tests.support.shop import Shop

Row = dict[str, Any]


class Hurry:
    """A pace that never waits."""

    def wait(self) -> None:
        pass


def as_csv(rows: Sequence[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_ndjson(rows: Sequence[Row]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def as_parquet(rows: Sequence[Row]) -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), sink)
    return sink.getvalue()


WRITERS = {"csv": as_csv, "ndjson": as_ndjson, "parquet": as_parquet}


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


def imported(shop: Shop, path: Path, format_: str = "csv", *, dry_run: bool = False) -> Import:
    """The whole of it, into the inbox."""
    row = services.import_of(path, shop.pixel, format_, dry_run=dry_run)
    run(row, Hurry())
    return row


def faults(row: Import) -> dict[int, str]:
    """What is wrong, by row."""
    lines = files.errors_file(row.pk).read_text(encoding="utf-8").splitlines()
    return {told["row"]: told["message"] for told in map(json.loads, lines)}
