"""Every rule of the audience file of 004_61881f248519e6eb.txt."""

import gzip

import pytest

from sandbox.files import BadFileError
from sandbox.s2s_file import UserRow, read_file
from tests.support.sandbox_uploads import EXAMPLE, example, s2s_text

NAME = "Agency_Partner_202601022359.log.gz"
ONE = "2c3753c5-9a67-4600-f044-a5d7e0c5f6d7"
TWO = "3d3353c3-9a67-4651-a443-a6d7e1c4fde8"


def refused(text: str, name: str = NAME) -> BadFileError:
    with pytest.raises(BadFileError) as caught:
        read_file(name, gzip.compress(text.encode()))
    return caught.value


def read(rows: str, **header: str) -> list[UserRow]:
    return read_file(NAME, gzip.compress(s2s_text(NAME, rows, **header).encode())).loads


def test_example__of_the_document__is_read_as_it_is_explained() -> None:
    file = read_file(EXAMPLE, gzip.compress(example().encode()))
    assert (file.namespace, file.mobile) == ("ep", False)
    assert [(load.clear, load.segments) for load in file.loads] == [
        (False, (("10001", 0), ("10003", 0), ("10005", 1406850980))),
        (False, (("10002", -1),)),
        (False, (("10002", 0),)),
        (True, (("10002", 0),)),
        (True, (("9999999", 0),)),
    ]


@pytest.mark.parametrize(
    "row",
    [
        f"{ONE}\n",
        f"{ONE} -1\n",
        f"{ONE} 1\n",
        f"{ONE} 1:\n",
        f"{ONE} 1:-2\n",
        f"{ONE} 1:1.5\n",
        f"{ONE} 1:007\n",
        f"{ONE} 1:0 -1\n",
        f"{ONE} 1:0 1:-1\n",
        f"{ONE}  1:0\n",
        f"{ONE} 1:0 \n",
        f"{ONE}\t1:0\n",
        f"{ONE} 2147483648:0\n",
        f"{ONE} -5:0\n",
        f"{ONE} abc:0\n",
        "2c3753c59a674600f044a5d7e0c5f6d7 1:0\n",
        "someone 1:0\n",
        " 1:0\n",
        "\n",
    ],
)
def test_row__breaks_a_rule__is_refused_with_its_line(row: str) -> None:
    assert refused(s2s_text(NAME, f"{TWO} 1:0\n{row}")).line == 10


def test_row__largest_segment__is_read() -> None:
    assert read(f"{ONE} 2147483647:0\n") == [UserRow(ONE, False, (("2147483647", 0),))]


def test_segments__hashed__may_be_words_only_where_the_header_says_so() -> None:
    assert read(f"{ONE} news-readers:0\n", HashSegments="1")[0].segments == (("news-readers", 0),)
    assert refused(s2s_text(NAME, f"{ONE} news-readers:0\n")).line == 9


def test_ids__of_a_partner__need_no_form() -> None:
    assert read("user-7 1:0\n", UserNamespace="ep", UserTableId="12")[0].userid == "user-7"


@pytest.mark.parametrize(("spare", "good"), [(0, False), (1, True)])
def test_line__of_eight_thousand_characters__is_one_too_long(spare: int, good: bool) -> None:
    padded = _line(8000 - spare)
    assert len(padded) == 8000 - spare
    if good:
        assert read(f"{padded}\n")
    else:
        assert refused(s2s_text(NAME, f"{padded}\n")).line == 9


def _line(length: int) -> str:
    """A row of exactly that many characters: each segment takes 13 of them, or 14."""
    count, longer = divmod(length - len(ONE), 13)
    times = ["10" if number < longer else "0" for number in range(count)]
    return ONE + "".join(f" {1_000_000_000 + number}:{at}" for number, at in enumerate(times))


def test_same_user_twice__with_room_on_the_first_line__is_refused() -> None:
    assert refused(s2s_text(NAME, f"{ONE} 1:0\n{TWO} 1:0\n{ONE.upper()} 2:0\n")).line == 11


def test_same_user_twice__where_one_line_would_not_hold_all__is_read() -> None:
    assert len(read(f"{_line(7999)}\n{ONE} 2:0\n")) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"Version": "2"},
        {"FileIdentifier": "Other_202601022359.log.gz"},
        {"DateCreated": "yesterday"},
        {"UserNamespace": "mediamath"},
        {"UserTableId": "7"},
        {"SegmentNamespace": "epx"},
        {"Mobile": "2"},
        {"HashSegments": "true"},
        {"Colour": "red"},
    ],
)
def test_header__breaks_a_rule__is_refused_with_its_line(change: dict[str, str]) -> None:
    assert refused(s2s_text(NAME, f"{ONE} 1:0\n", **change)).line


@pytest.mark.parametrize("field", ["Version", "FileIdentifier", "DateCreated", "Mobile", "HashSegments"])
def test_header__without_a_field__is_refused(field: str) -> None:
    lines = s2s_text(NAME, f"{ONE} 1:0\n").splitlines(keepends=True)
    assert field in refused("".join(line for line in lines if not line.startswith(field))).reason


def test_header__field_twice_or_no_blank_line__is_refused() -> None:
    text = s2s_text(NAME, f"{ONE} 1:0\n")
    assert refused(f"Version: 3\n{text}").line == 2
    assert refused(text.replace("\n\n", "\n")).line == 8


@pytest.mark.parametrize(
    "name",
    [
        "Partner.log.gz",
        "Partner_20260102.log.gz",
        "Partner_202613022359.log.gz",
        "A_B_C_D_202601022359.log.gz",
        "My Partner_202601022359.log.gz",
        "Partner_202601022359.gz",
        "Partner_202601022359.log",
    ],
)
def test_name__breaks_the_pattern__is_refused(name: str) -> None:
    assert "name" in refused(s2s_text(name, f"{ONE} 1:0\n"), name).reason


def test_text__carriage_returns_or_no_last_line_end__is_refused_with_its_line() -> None:
    text = s2s_text(NAME, f"{ONE} 1:0\n")
    assert refused(text.replace("1:0\n", "1:0\r\n")).line == 9
    assert refused(text.rstrip("\n")).line == 9


def test_content__not_gzip__is_refused() -> None:
    with pytest.raises(BadFileError, match="gzip"):
        read_file(NAME, s2s_text(NAME, f"{ONE} 1:0\n").encode())
