"""F7 to F9: one person in two spellings."""

import hashlib
import uuid

import pytest

from core import buckets
from core.inbox import InboxKind
from core.messages import Event
from profiles.messages import Respell, encode
from tests.support.edge_process import CUSTOMER, PIXEL, RunningEdge, raise_version, until
from tests.support.field import Field

IDFA = "6d92078a-8246-4ba4-ae5b-76104861e7dc"
DEVICES = [
    ("devid_a", IDFA),
    ("devid_g", "38400000-8cf0-11bd-b23e-10b96e40000d"),
    ("idsha1", hashlib.sha1(b"anna@example.com", usedforsecurity=False).hexdigest()),
    ("idmd5", hashlib.md5(b"anna@example.com", usedforsecurity=False).hexdigest()),
]


@pytest.mark.parametrize(("parameter", "value"), DEVICES)
def test_f7__device_in_upper_and_lower_case__is_one_person(field: Field, parameter: str, value: str) -> None:
    one, other, padded = field.browser(), field.browser(), field.browser()
    field.send(one, None, **{parameter: value})
    field.send(other, None, **{parameter: value.upper()})
    field.send(padded, None, **{parameter: f" {value} "})
    field.absorb()

    assert len(field.people([one, other, padded])) == 1
    assert field.ids(one) == {(f"device:{parameter}", value)}


def test_f8__whole_number_with_a_decimal_point__is_the_whole_number(field: Field) -> None:
    sent: list[object] = [4712, 4712.0, "4712", "4712.0", " 4712"]
    browsers = [field.browser() for _ in sent]
    for cookie, value in zip(browsers, sent, strict=True):
        field.send(cookie, {"UserId": value})
    assert field.send_batch([{"user": 12345.0, "data": {"City": "Rome"}}, {"user": "12345"}])["accepted"] == 2
    known = field.browser()
    field.send(known, {"UserId": 12345})
    field.absorb()

    assert len(field.people(browsers)) == 1
    assert field.ids(browsers[0]) == {("user", "4712")}
    assert field.story(known)["attributes"]["City"] == "Rome"
    assert field.ids(known) == {("user", "12345")}


def test_f8__numbers_that_are_not_whole_or_not_exact__name_nobody(field: Field) -> None:
    browsers = [field.browser() for _ in range(2)]
    for cookie in browsers:
        field.send(cookie, {"UserId": 1.5})
        field.send(cookie, {"UserId": 1e22})
    field.absorb()

    assert field.people(browsers) == set(browsers)


def test_f9__mail_address_with_blanks_and_capitals__is_one_person(field: Field) -> None:
    sent = ["anna@example.com", "anna@example.com ", "Anna@Example.com", "\u00a0anna@example.com"]
    browsers = [field.browser() for _ in sent]
    for cookie, value in zip(browsers, sent, strict=True):
        field.send(cookie, {"UserId": value})
    field.absorb()

    assert len(field.people(browsers)) == 1


@pytest.fixture
def german(edge: RunningEdge) -> Field:
    """A customer whose telephone numbers are German ones, and for whom `kiosk` is nobody."""
    update = "UPDATE customer SET phone_region = %s, nobody_words = %s WHERE m = %s"
    edge.database.execute(update, ["DE", '["Kiosk"]', CUSTOMER])
    raise_version(edge.database)
    field = Field(edge)

    def is_read() -> bool:
        return bool(field.send_batch([{"user": "kiosk"}])["errors"])

    until(is_read)
    edge.database.execute("DELETE FROM inbox")
    return field


def test_f9__telephone_number_at_home_and_with_its_country__is_one_person(german: Field) -> None:
    sent = ["+49 30 1234567", "030 1234567", "+49 (0)30 1234567", "0049 30 1234567", "030/1234567"]
    browsers = [german.browser() for _ in sent]
    for cookie, value in zip(browsers, sent, strict=True):
        german.send(cookie, {"UserId": value})
    german.absorb()

    assert len(german.people(browsers)) == 1


def test_f1__own_word_of_a_customer__names_nobody(german: Field) -> None:
    browsers = [german.browser() for _ in range(2)]
    for cookie, value in zip(browsers, ["KIOSK", " kiosk "], strict=True):
        german.send(cookie, {"UserId": value}, devid_g=value)
    german.absorb()

    assert german.people(browsers) == set(browsers)


def test_f7__id_stored_in_another_spelling__goes_on_finding_its_profile(field: Field) -> None:
    """What was stored before there was one spelling: the migration has every bucket look once."""
    early = field.browser()
    old = [("device:devid_a", IDFA.upper()), ("user", "12345.0")]
    event = Event(CUSTOMER, PIXEL, 1_700_000_000_000, early, True, old)
    field.append(buckets.of_user(uuid.UUID(early)), InboxKind.EVENT, encode(event))
    field.absorb()
    for respelled in range(256):
        field.append(respelled, InboxKind.RESPELL, encode(Respell(customer=CUSTOMER)))
    field.absorb()
    late, later = field.browser(), field.browser()
    field.send(late, None, devid_a=IDFA)
    field.send(later, {"UserId": 12345})
    field.absorb()

    assert len(field.people([early, late, later])) == 1
