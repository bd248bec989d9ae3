"""No pattern on foreign text takes more than linear time, and every function that reads such a text is measured."""

import ast
import gc
import importlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from core import patterns
from core.environment import PROJECT_ROOT
from tests.support.foreign_text import READERS, UNITS, Reader, nasty

ROOMS = (
    *("activation", "api", "audiences", "console", "core", "dmphub", "edge", "integrations", "local"),
    *("lookalikes", "pipeline", "profiles", "usersync"),
)
PARSERS = {
    # parsers that are dangerous on foreign data → where they may be used, with bounds
    "jmespath": {"integrations/answers/expressions.py"},
    "gzip": {
        "pipeline/imports/opening.py",
        *("integrations/previews.py", "pipeline/privacy/delivered_files.py"),  # only what the hub has written
    },
    "zlib": {
        *("api/uploads.py", "edge/body.py", "pipeline/imports/opening.py", "pipeline/imports/lines.py"),
        *("activation/delivery/file_writer.py", "pipeline/privacy/delivered_files.py"),  # only what the hub writes
        # checksums only
        *("profiles/attribute_sampling.py", "lookalikes/scoring/fields.py", "local/demo/players.py", "core/turns.py"),
    },
    "pyarrow": {"pipeline/imports/parquet_rows.py", "pipeline/exports/formats.py"},  # the latter only writes
    "python_calamine": {"pipeline/imports/sheet_rows.py"},
    "re": {"core/patterns.py"},
    "re2": {"core/patterns.py"},
}
NEVER = {"pickle", "marshal", "shelve", "xml", "lxml", "yaml", "zipfile", "tarfile", "bz2", "lzma", "regex"}
OWN_TEXTS = {
    "core.environment": "what the operator sets",
    "core.console_environment": "what the operator sets",
    "audiences.rules.sql": "names of the hub's own tables",
    "pipeline.bad_rows": "names that the console gives itself",
    "pipeline.imports.files": "names of the hub's own files",
    "integrations.connectors.conformance": "the tests of a connector",
}
MOST_WAYS = 200
WIDEST_SCAN = 200


def sources() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((PROJECT_ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(PROJECT_ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def imported(tree: ast.Module) -> set[str]:
    found = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    return found | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


def module_of(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


@pytest.fixture(scope="module")
def modules() -> dict[str, set[str]]:
    """What each module of the hub imports, by the module's path."""
    return {path: imported(tree) for path, tree in sources()}


def test_parsers_of_foreign_data__are_used_in_their_places_only(modules: dict[str, set[str]]) -> None:
    misplaced = {
        (path, parser)
        for path, names in modules.items()
        for parser in {name.partition(".")[0] for name in names} & (PARSERS.keys() | NEVER)
        if path not in PARSERS.get(parser, ())
    }

    assert misplaced == set()


def test_modules_with_patterns__are_all_in_the_table_of_readers(modules: dict[str, set[str]]) -> None:
    with_patterns = {module_of(path) for path, names in modules.items() if "core.patterns" in names}

    assert with_patterns - {reader.module for reader in READERS.values()} == OWN_TEXTS.keys()


# ── proofs ───────────────────────────────────────────────────────────────────────────────────────────

_parser: Any = importlib.import_module("re._parser")
_constants: Any = importlib.import_module("re._constants")
SINGLE = {"LITERAL", "NOT_LITERAL", "ANY", "IN", "AT"}


def ways(items: Any) -> int:
    """Returns in how many ways a place can be read at the most. Fails where the pattern does not bound it."""
    product = 1
    for kind, value in items:
        product *= _ways_of(str(kind), value)
    assert product <= MOST_WAYS, "too many ways"
    return product


def _ways_of(kind: str, value: Any) -> int:
    if kind in SINGLE:
        return 1
    if kind == "SUBPATTERN":
        return ways(value[3])
    if kind == "BRANCH":
        return sum(ways(branch) for branch in value[1])
    if kind in {"POSSESSIVE_REPEAT", "ATOMIC_GROUP"}:
        ways(value[2] if kind == "POSSESSIVE_REPEAT" else value)
        return 1
    if kind in {"ASSERT", "ASSERT_NOT"}:
        assert value[1].getwidth()[1] <= 2
        return 1
    assert kind == "MAX_REPEAT", f"{kind} is not for foreign text"
    low, high, inner = value
    assert high is not _constants.MAXREPEAT, "an unbounded repeat must be possessive"
    each = ways(inner)
    return int(each**low if low == high else sum(each**count for count in range(low, high + 1)))


def can_fail_far(items: Any) -> bool:
    """Whether something may fail behind a repeat without bound, so that much was read for nothing."""
    far = False
    for kind, value in items:
        if far and not (str(kind).endswith("REPEAT") and value[0] == 0):
            return True
        far = far or (str(kind) == "POSSESSIVE_REPEAT" and value[1] is _constants.MAXREPEAT)
    return False


def reads(items: Any, sign: str) -> bool:
    """Whether some part of the pattern can read the sign."""
    return any(_reads(str(kind), value, sign) for kind, value in items)


def _reads(name: str, value: Any, sign: str) -> bool:
    if name == "LITERAL":
        return bool(value == ord(sign))
    if name == "IN":
        return any(_holds(part, ord(sign)) for part in value)
    if name == "SUBPATTERN":
        return reads(value[3], sign)
    if name == "BRANCH":
        return any(reads(branch, sign) for branch in value[1])
    return reads(value[2], sign) if name.endswith("REPEAT") else name != "AT"


def _holds(part: tuple[Any, Any], code: int) -> bool:
    kind, value = str(part[0]), part[1]
    if kind == "LITERAL":
        return bool(value == code)
    if kind == "RANGE":
        return bool(value[0] <= code <= value[1])
    return kind != "CATEGORY" or str(value) != "CATEGORY_WORD" or chr(code).isalnum() or chr(code) == "_"


def branches_of(parsed: Any) -> list[Any]:
    items = list(parsed)
    return list(items[0][1][1]) if len(items) == 1 and str(items[0][0]) == "BRANCH" else [parsed]


@pytest.fixture(scope="module", autouse=True)
def _every_pattern_is_made(modules: dict[str, set[str]]) -> None:
    for path, names in modules.items():
        if "core.patterns" in names:
            importlib.import_module(module_of(path))


def test_patterns_for_whole_texts__can_be_read_in_few_ways() -> None:
    assert len(patterns.WHOLE) > 30
    for compiled in patterns.WHOLE:
        ways(_parser.parse(compiled.pattern, compiled.flags))


def test_patterns_that_scan__read_nothing_far_for_nothing() -> None:
    assert len(patterns.SCANS) > 5
    for compiled in patterns.SCANS:
        parsed = _parser.parse(compiled.pattern, compiled.flags)
        ways(parsed)
        if parsed.getwidth()[1] <= WIDEST_SCAN:
            continue
        for branch in branches_of(parsed):
            kind, value = branch[0]
            starts_alone = str(kind) == "LITERAL" and not reads(list(branch)[1:], chr(value))
            assert starts_alone or not can_fail_far(branch), compiled.pattern


@pytest.mark.parametrize("pattern", ["(a+)+", "a*", "a{1,300}", "(?:aa|b){1,9}", "(a)\\1", "[^@]+@"])
def test_pattern_that_may_be_slow__does_not_pass(pattern: str) -> None:
    with pytest.raises(AssertionError):
        ways(_parser.parse(pattern))


@pytest.mark.parametrize("pattern", ["a++b", "[a@]++@", "@[^.]++b"])
def test_scan_that_may_be_slow__does_not_pass(pattern: str) -> None:
    (branch,) = branches_of(_parser.parse(pattern))
    kind, value = branch[0]
    assert can_fail_far(branch)
    assert str(kind) != "LITERAL" or reads(list(branch)[1:], chr(value))


def test_pattern_on_re2__says_how_long_a_text_may_be() -> None:
    short = patterns.linear("a+", 3)

    assert short.fullmatch("aaa")
    assert not short.fullmatch("aaaa")
    for call in (short.search, short.finditer, short.split, lambda text: short.sub("", text)):
        with pytest.raises(patterns.TextTooLongError):
            call("aaaa")
    assert short.sub("\\1", "bab") == "b\\1b"
    assert not short.search("\ud800")


# ── cost ─────────────────────────────────────────────────────────────────────────────────────────────

NOISE = 0.002
"""Seconds: less is not compared."""

MOST = 2.5
LITTLE = 64  # characters
ROUNDS = 20  # until one says that it is linear: a busy machine adds to what is measured, and takes nothing away


def spent(reader: Reader, text: str) -> float:
    """Returns the processor time of one call in seconds."""
    start = time.process_time()
    try:
        reader.read(text)
    except RecursionError:
        raise
    except reader.refusals:
        pass
    return time.process_time() - start


def is_linear(reader: Reader, unit: str) -> bool:
    """Whether twice the text takes at most two and a half times as long, at the least size that can be measured.

    Where that seems not so, four times the text decides: memory is given out in steps, which look like a jump.
    """
    spent(reader, nasty(unit, LITTLE))  # what is only made once is made now
    size = max(LITTLE, reader.longest // 64)
    half, whole = 0.0, spent(reader, nasty(unit, size))
    while whole < NOISE and size < reader.longest:
        size, half, whole = size * 2, whole, spent(reader, nasty(unit, size * 2))
    if whole < NOISE or whole <= MOST * half:
        return True
    return _grows_by(reader, unit, size, 2, MOST) or _grows_by(reader, unit, size, 4, MOST**2)


def _grows_by(reader: Reader, unit: str, size: int, times: int, most: float) -> bool:
    small, large = nasty(unit, size // times), nasty(unit, size)
    best_small = best_large = float("inf")
    for _ in range(ROUNDS):
        best_small, best_large = min(best_small, spent(reader, small)), min(best_large, spent(reader, large))
        if best_large < NOISE or best_large <= most * best_small:
            return True
    return False


@pytest.mark.parametrize("name", READERS)
def test_text_of_twice_the_size__costs_at_most_two_and_a_half_times(name: str) -> None:
    gc.collect()
    gc.disable()
    try:
        slow = [what for what, unit in UNITS.items() if not is_linear(READERS[name], unit)]
    finally:
        gc.enable()

    assert slow == []
