"""The header of a CSV file: what separates its columns, and what they are called."""

from core.patterns import has_control, has_surrogate, whole
from pipeline.imports.csv_records import LONGEST_RECORD, CsvRecords
from pipeline.imports.errors import UnreadableFileError, UnreadableRow
from pipeline.imports.lines import TOO_LONG, LineBlocks, text_of

DELIMITERS = ",;\t|"
MOST_COLUMNS = 2_000
SAMPLE = 20  # lines that say which of several delimiters separates the columns
_SEP = whole(r'"?sep=([^"\r\n])"?\r?\n', ignore_case=True)


def header_of(lines: LineBlocks, delimiter: str) -> tuple[str, list[str]]:
    """Read the header. Returns the delimiter and the names of the columns.

    `delimiter`: chosen by a person; empty: the file says it by a first line `sep=;`, else it is found out. Raises
    UnreadableFileError.
    """
    first = lines.next_line()
    said = _SEP(first)
    if said is None:
        lines.put_back([first] if first else [])
    delimiter = delimiter or (said[1] if said else _found(lines))
    cells = CsvRecords(lines, delimiter).next_record()
    if isinstance(cells, UnreadableRow):
        raise UnreadableFileError("its first line is no header of a CSV file")
    columns = [" ".join(text_of(cell).split()) for cell in cells or []]
    while columns and not columns[-1]:  # each line ends with a delimiter
        columns.pop()
    check_header(columns)
    return delimiter, columns


def check_header(columns: list[str]) -> None:
    """Raises UnreadableFileError if these cannot be the names of columns."""
    if not any(columns):
        raise UnreadableFileError("it has no header")
    if len(columns) > MOST_COLUMNS:
        raise UnreadableFileError(f"it has more than {MOST_COLUMNS} columns")
    if any(has_control(name) or has_surrogate(name) for name in columns):
        raise UnreadableFileError("a column's name holds control characters, or is not in the file's encoding")
    unnamed = [number for number, name in enumerate(columns, 1) if not name]
    if unnamed:
        raise UnreadableFileError(f"column {unnamed[0]} has no name")
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise UnreadableFileError(f"there are two columns {twice[0]}")


def _found(lines: LineBlocks) -> str:
    """Returns the delimiter that the header holds outside its quotes.

    Of several, the one that stands as often in most of the next lines; then the one that stands there most often.
    """
    header, rest = _sample(lines)
    counted = {sign: header.count(sign) for sign in DELIMITERS}
    alike = {sign: sum(line.count(sign) == counted[sign] for line in rest) for sign in DELIMITERS}
    there = [sign for sign in DELIMITERS if counted[sign]]
    return max(there, key=lambda sign: (alike[sign], counted[sign]), default=DELIMITERS[0])


def _sample(lines: LineBlocks) -> tuple[str, list[str]]:
    """Returns the header and some lines after it, each without what stands in quotes. Nothing is taken."""
    taken: list[str] = []
    header = ""
    rest: list[str] = []
    while len(rest) <= SAMPLE and (line := lines.next_line()):
        taken.append(line)
        if line == TOO_LONG:
            break
        if not rest and header.count('"') % 2 and len(header) < LONGEST_RECORD:
            header += line
        elif not header:
            header = line
        else:
            rest.append(_outside_quotes(line))
    lines.put_back(taken)
    return _outside_quotes(header), rest


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])
