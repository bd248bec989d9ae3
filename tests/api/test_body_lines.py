"""Bodies read line by line, whatever pieces they come in."""

import gzip
import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError

from api.uploads import LONGEST, Unzipped, split


def in_pieces(whole: bytes, sizes: list[int]) -> Callable[[int], bytes]:
    """A stream that hands out at most `sizes` bytes in turn."""
    stream, turn = io.BytesIO(whole), [0]

    def read(size: int) -> bytes:
        turn[0] += 1
        return stream.read(min(size, sizes[turn[0] % len(sizes)]))

    return read


pieces = st.lists(st.integers(1, 50), min_size=1, max_size=5)
texts = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")), max_size=20)


@given(lines=texts, sizes=pieces, ended=st.booleans())
def test_lines__in_any_pieces__are_the_lines(lines: list[bytes], sizes: list[int], ended: bool) -> None:
    whole = b"\n".join(lines) + (b"\n" if ended else b"")
    expected = whole.split(b"\n")

    assert list(split(in_pieces(whole, sizes))) == (expected if expected[-1] else expected[:-1])


@given(lines=texts, sizes=pieces, cut=st.integers(0, 20))
def test_gzip__of_several_members_in_any_pieces__is_what_was_packed(
    lines: list[bytes], sizes: list[int], cut: int
) -> None:
    members = gzip.compress(b"\n".join(lines[:cut])) + gzip.compress(b"\n".join(lines[cut:]))
    read = Unzipped(in_pieces(members, sizes)).read

    unpacked = b"".join(iter(lambda: read(7), b""))

    assert unpacked == b"\n".join(lines[:cut]) + b"\n".join(lines[cut:])


@pytest.mark.parametrize(
    "broken",
    [b"no gzip", gzip.compress(b"a line\n" * 999)[:-9], gzip.compress(b"x") + b"more"],
    ids=["no gzip", "cut off", "followed by something else"],
)
def test_gzip__broken_or_cut_off__is_refused(broken: bytes) -> None:
    read = Unzipped(io.BytesIO(broken).read).read

    with pytest.raises(ParseError):
        list(iter(lambda: read(100), b""))


def test_line__that_is_too_long__is_none_and_its_neighbours_are_whole() -> None:
    whole = b"first\n" + b"x" * (LONGEST + 1) + b"\n" + b"y" * LONGEST + b"\n" + b"z" * 10 * LONGEST

    for size in (1, 1000, 10**6):
        assert list(split(in_pieces(whole, [size]))) == [b"first", None, b"y" * LONGEST, None]


def test_gzip__that_swells_a_thousandfold__is_read_in_little_memory() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    tracemalloc.start()

    lines = list(split(Unzipped(io.BytesIO(bomb).read).read))

    assert lines == [None]
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_gzip__that_unpacks_to_more_than_the_hub_takes__says_how_much_that_is(settings: Any) -> None:
    settings.UNPACKED_BYTES = 1_000
    within, beyond = (gzip.compress(b"x" * size) for size in (1_000, 1_001))

    assert Unzipped(io.BytesIO(within).read).read(2_000) == b"x" * 1_000
    with pytest.raises(ParseError, match="more than 1000 bytes"):
        Unzipped(io.BytesIO(beyond).read).read(2_000)
