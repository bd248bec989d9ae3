"""Files of profiles, written and imported."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

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


def as_xlsx(rows: Sequence[Row]) -> bytes:
    return workbook([list(rows[0]), *[[row.get(name) for name in rows[0]] for row in rows]])


def workbook(rows: Sequence[Sequence[Any]]) -> bytes:
    """An Excel workbook with one sheet. A `Serial` becomes a date, None an empty cell."""
    cells = "".join(
        f'<row r="{number}">{"".join(_cell(column, number, value) for column, value in enumerate(row))}</row>'
        for number, row in enumerate(rows, 1)
    )
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    related = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    link = '<Relationship Id="a" Type="{}/{}" Target="{}"/>'
    relations = f'<Relationships xmlns="{package}/relationships">{{}}</Relationships>'
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": relations.format(link.format(related, "officeDocument", "xl/workbook.xml")),
        "xl/_rels/workbook.xml.rels": relations.format(link.format(related, "worksheet", "worksheets/sheet1.xml")),
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{related}"><sheets>'
        '<sheet name="A" sheetId="1" r:id="a"/></sheets></workbook>',
        "xl/styles.xml": f'<styleSheet {main}><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>',
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{cells}</sheetData></worksheet>",
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


class Serial(float):
    """A day as Excel counts it."""


def _cell(column: int, number: int, value: Any) -> str:
    place = f'r="{chr(65 + column)}{number}"'
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return f'<c {place} t="b"><v>{int(value)}</v></c>'
    if isinstance(value, int | float):
        return f'<c {place} s="{int(isinstance(value, Serial))}"><v>{value}</v></c>'
    return f'<c {place} t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'


WRITERS = {"csv": as_csv, "ndjson": as_ndjson, "parquet": as_parquet, "xlsx": as_xlsx}


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
