"""What kind a file is of, by its name, and what reads it."""

from pathlib import Path
from unicodedata import category

from pipeline.imports.csv_file import CsvFile
from pipeline.imports.decoding import as_utf8
from pipeline.imports.errors import UnreadableFileError
from pipeline.imports.opening import OpenedFile
from pipeline.imports.options import ImportOptions
from pipeline.imports.reading import NdjsonFile
from pipeline.imports.tables import ParquetFile, TableFile, XlsxFile
from pipeline.models import Import

RowFile = CsvFile | NdjsonFile | TableFile
Format = Import.Format
_TABLES: dict[str, type[TableFile]] = {Format.PARQUET: ParquetFile, Format.XLSX: XlsxFile}
_ENDINGS = {
    ".csv": Format.CSV,
    ".tsv": Format.CSV,
    ".txt": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".json": Format.NDJSON,
    ".parquet": Format.PARQUET,
    ".xlsx": Format.XLSX,
    ".xlsm": Format.XLSX,
}
_NO_LETTERS = {"Cc", "Cs", "Zl", "Zp"}


def format_of(name: str) -> str:
    """Returns the format that a file's name says, with or without `.gz`. Raises UnreadableFileError.

    The name must be a line of text: it stands in lists, logs and headers.
    """
    if any(category(letter) in _NO_LETTERS for letter in name):
        raise UnreadableFileError("the name holds control characters")
    ending = Path(name.lower().removesuffix(".gz")).suffix
    if ending not in _ENDINGS:
        raise UnreadableFileError("the name does not say what it is: .csv, .ndjson, .parquet or .xlsx, each also .gz")
    return _ENDINGS[ending].value


def rows_in(opening: OpenedFile, format_: str, options: ImportOptions) -> RowFile:
    """Returns what reads the rows of an opened file. Raises UnreadableFileError."""
    if format_ in _TABLES:
        return _TABLES[format_](opening)
    text = as_utf8(opening.file, options.encoding)
    return NdjsonFile(text) if format_ == Format.NDJSON else CsvFile(text, options.delimiter)
