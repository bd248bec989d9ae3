import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import user_ids
from edge import cookies
from edge.cookies import CHECK_SECONDS, CookieCheck, CookieCheckSigner

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"


def _reference(age: int = 0) -> CookieCheck:
    return CookieCheck(7, USER, int(time.time()) - age, [("user", "é"), ("device:devid_g", "x")])


def test_reference__signed_by_any_key_of_the_ring__is_read() -> None:
    old, ring, other = CookieCheckSigner(["old"]), CookieCheckSigner(["new", "old"]), CookieCheckSigner(["other"])
    reference = _reference()
    assert ring.read(old.sign(reference).decode()) == reference
    assert ring.read(ring.sign(reference).decode()) == reference
    assert ring.read(other.sign(reference).decode()) is None
    assert old.read(ring.sign(reference).decode()) is None


def test_reference__any_character_altered__is_not_read() -> None:
    signer = CookieCheckSigner(["key"])
    text = signer.sign(_reference()).decode()
    for at, character in enumerate(text):
        altered = text[:at] + ("A" if character != "A" else "B") + text[at + 1 :]
        assert signer.read(altered) is None
        assert signer.read(text[:at]) is None
    assert signer.read(text + "=") is None


@pytest.mark.parametrize(("age", "read"), [(CHECK_SECONDS - 60, True), (CHECK_SECONDS + 60, False)])
def test_reference__older_than_a_day__is_not_read(age: int, read: bool) -> None:
    signer = CookieCheckSigner(["key"])
    assert (signer.read(signer.sign(_reference(age)).decode()) is not None) is read


USERS = st.sampled_from([USER, USER.upper(), USER[:-1], f"{USER}0", USER.replace("-4", "-1"), "", "\xe9"])
COOKIES = USERS.map("dmpuid={}".format) | st.text("dmpuid=; x1\t\xa0", max_size=12)


@given(st.lists(st.tuples(st.sampled_from(["", " ", "\t  ", "\xa0", "x"]), COOKIES), max_size=4))
def test_our_cookie__is_the_first_that_holds_a_user_id(parts: list[tuple[str, str]]) -> None:
    header = ";".join(before + cookie for before, cookie in parts).encode("latin-1")

    named = [part.strip().removeprefix(b"dmpuid=") for part in header.split(b";") if part.strip()[:7] == b"dmpuid="]
    expected = [user for value in named if (user := user_ids.parse(value.decode("latin-1")))]
    assert cookies.read(header) == (expected[0] if expected else None)
