"""What is taken for personal data in clear, and what is not."""

import json
import random
import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.refusals import refusal_of
from profiles.personal.check_digits import IBAN_LENGTHS, has_luhn_digit
from profiles.personal.patterns import CARD, IBAN, MAIL, PHONE, find, find_named, is_free, names_phone
from profiles.personal.protection import PersonalDataError, Policy, Protection, check_platform_id, is_suspicious

SALT = UUID("6f1f5fb6-30f4-4e6f-8a2c-3a4a3f3d7b11")
HASHING = Protection(Policy.HASH, SALT)

LOCAL = st.from_regex(r"[A-Za-z0-9](?:[A-Za-z0-9._+-]{0,20}[A-Za-z0-9])?", fullmatch=True)
DOMAIN = st.from_regex(r"(?:[a-z0-9](?:[a-z0-9-]{0,8}[a-z0-9])?\.){1,3}[a-z]{2,8}", fullmatch=True)
GAP = st.sampled_from(["", " ", "-"])


@st.composite
def cards(draw: st.DrawFn) -> str:
    """A number of a known issuer with its right last digit, in one of the usual notations."""
    prefix, length = draw(st.sampled_from([("4", 16), ("4", 13), ("51", 16), ("2221", 16), ("34", 15), ("6011", 16)]))
    free = draw(st.text("0123456789", min_size=length - len(prefix) - 1, max_size=length - len(prefix) - 1))
    number = next(prefix + free + last for last in "0123456789" if has_luhn_digit(prefix + free + last))
    gap = draw(GAP)
    return gap.join(number[at : at + 4] for at in range(0, length, 4))


@st.composite
def ibans(draw: st.DrawFn) -> str:
    country, length = draw(st.sampled_from(sorted(IBAN_LENGTHS.items())))
    bank = draw(st.sampled_from(["", "NWBK"]))
    digits = length - 4 - len(bank)
    account = bank + draw(st.text("0123456789", min_size=digits, max_size=digits))
    number = int("".join(str(int(sign, 36)) for sign in account + country + "00"))
    iban = f"{country}{98 - number % 97:02d}{account}"
    written = " ".join(iban[at : at + 4] for at in range(0, length, 4)) if draw(st.booleans()) else iban
    return written.lower() if draw(st.booleans()) else written


@st.composite
def phones(draw: st.DrawFn) -> str:
    country = draw(st.sampled_from(["1", "44", "49", "351", "972"]))
    groups = draw(st.lists(st.text("0123456789", min_size=2, max_size=4), min_size=3, max_size=3))
    return f"+{country}{draw(GAP)}{draw(GAP).join(groups)}"


@settings(max_examples=150)
@given(local=LOCAL, domain=DOMAIN, around=st.sampled_from(["{}", "write to {} today", "<{}>", "?mail={}&x=1"]))
def test_mail_address__wherever_it_stands__is_found_in_its_normal_form(local: str, domain: str, around: str) -> None:
    (found,) = find(around.format(f"{local}@{domain}".upper()))

    assert (found.kind, found.plain) == (MAIL, f"{local}@{domain}".lower())


@settings(max_examples=150)
@given(card=cards(), around=st.sampled_from(["{}", "paid with {}.", "card:{}"]))
def test_card_number__in_usual_notations__is_found(card: str, around: str) -> None:
    (found,) = find(around.format(card))

    assert (found.kind, found.plain) == (CARD, card.replace(" ", "").replace("-", ""))


@settings(max_examples=200)
@given(iban=ibans(), around=st.sampled_from(["{}", "from {}, thank you", "({})"]))
def test_iban__of_every_country__is_found(iban: str, around: str) -> None:
    (found,) = find(around.format(iban))

    assert (found.kind, found.plain) == (IBAN, iban.replace(" ", "").upper())


@settings(max_examples=100)
@given(phone=phones())
def test_phone_number__with_its_country__is_found(phone: str) -> None:
    (found,) = find(phone)

    assert (found.kind, found.plain) == (PHONE, "+" + "".join(sign for sign in phone if sign.isdigit()))


@pytest.mark.parametrize("text", ["030 1234567", "(555) 123-4567", "0170/1234567", " 06-12345678 "])
def test_phone_number__as_written_at_home__is_found(text: str) -> None:
    assert [one.kind for one in find(text)] == [PHONE]


@pytest.mark.parametrize(
    "text",
    [
        "1456213019",
        "1456213019000",
        "2024-01-15",
        "15.01.2024",
        "2024-01-15 10:00:00",
        "10.0.0.1",
        "C-4711",
        "123-456-7890",
        "0001234567890",
        "4111111111111112",
        "DE00370400440532013000",
        "SKU-12AB-4711",
        "a@b",
        "@home",
        "1.5e300",
        "EUR 1,234,567.89",
        "+1",
        "5f11538c-fcb6-4600-88e0-6e51bff72bbc",
        "100%40",
    ],
)
def test_ordinary_texts__are_left_alone(text: str) -> None:
    assert find(text) == []


@pytest.mark.parametrize("name", ["phone", "MobilePhone", "tel", "user_tel", "mobile", "Fax"])
def test_name_that_says_phone__makes_any_such_number_one(name: str) -> None:
    assert names_phone(name)
    assert [one.kind for one in find_named("01701234567")] == [PHONE]


@pytest.mark.parametrize("name", ["hotel", "mobile_os", "title", "telemetry_id", "Amount"])
def test_other_names__say_nothing(name: str) -> None:
    assert not names_phone(name)


def test_numbers_of_luhn__alone__are_no_cards() -> None:
    """An order's number may end in the right digit by chance: its issuer tells them apart."""
    chance = random.Random(1)
    orders = [str(chance.randrange(10**15, 2 * 10**15)) for _ in range(500)]

    assert [order for order in orders if find(order)] == []


@settings(max_examples=150)
@given(value=st.one_of(cards(), ibans(), phones(), st.builds("{}@{}".format, LOCAL, DOMAIN)), ascii_only=st.booleans())
def test_whatever_is_found__looks_suspicious_in_its_json(value: str, ascii_only: bool) -> None:
    assert is_suspicious(json.dumps({"a": [value]}, ensure_ascii=ascii_only).encode())


PERSONAL = st.one_of(
    *(cards(), cards().map(lambda card: card.replace(" ", ".").replace("-", ".")), cards().map(" ".join)),
    *(ibans(), phones(), st.builds("{}@{}".format, LOCAL, DOMAIN)),
    st.sampled_from(["030 1234567", "(555) 123-4567", "0170/1234567", "555-234-5678", "06.12.34.56.78"]),
)
AROUND = st.sampled_from(["", "", "", " ", "-", "a", "1", "x-1_", "\t", "\u0663"])


@settings(max_examples=200)
@given(before=AROUND, personal=PERSONAL, after=AROUND)
def test_text_that_is_free_by_its_signs__holds_nothing(before: str, personal: str, after: str) -> None:
    text = before + personal + after

    assert not is_free(text) or find(text) == []


@pytest.mark.parametrize(
    "value", ["1796034213000-1-1234", "nw-1738282445728660", "CAESEJ7xqRZ0yY3bW9dGgk0aXyz", "0a1-7"]
)
def test_id_like_most__is_free_by_its_signs(value: str) -> None:
    assert is_free(value)


def test_data__at_any_depth__is_hashed__and_the_rest_stays() -> None:
    data = {
        "mail": "Ada@Example.com",
        "amount": 4711,
        "at": 1456213019,
        "list": ["x", {"deep": "DE89 3704 0044 0532 0130 00"}],
        "phone": 491701234567,
        "card": 4111111111111111,
        "text": "ask ada@example.com or 030 1",
        "ada@example.com": 1,
    }
    raw, protected = HASHING.data(json.dumps(data).encode(), data)

    assert json.loads(raw) == protected
    clear = ("example.com", "3704", "4917", "4111")
    assert not any(text in raw.decode() for text in clear)
    assert (protected["amount"], protected["at"], protected["list"][0]) == (4711, 1456213019, "x")
    assert protected["text"] == f"ask {protected['mail']} or 030 1"
    assert len(protected["mail"]) == 64


def test_hash__of_one_normal_form__is_the_same__and_another_with_another_salt() -> None:
    other = Protection(Policy.HASH, UUID(int=1))

    assert HASHING.text("Ada@Example.com") == HASHING.text("ada@example.com") != other.text("ada@example.com")


def test_data__without_personal_data__is_the_very_same() -> None:
    data = {"a": 1, "b": {"c": ["x+y", "café"]}}
    raw = json.dumps(data).encode()

    assert HASHING.data(raw, data) == (raw, data)


def test_refusal__says_what_it_is__and_not_the_thing() -> None:
    refusing = Protection(Policy.REFUSE, SALT)

    with pytest.raises(PersonalDataError) as refused:
        refusing.data(b'{"a": "ada@example.com"}', {"a": "ada@example.com"})

    refusal = refusal_of(refused.value)
    assert refusal.name == "personal-data"
    assert refusal.text == "the data holds what looks like a mail address in clear: leave it out, or hash it"


def test_dimensions__of_a_page_with_a_mail_address__hold_its_hash() -> None:
    found = HASHING.dimensions({"eurl": "https://shop.example/?mail=ada%40example.com&p=1", "lat": 1.5})

    assert found == {"eurl": f"https://shop.example/?mail={HASHING.text('ada@example.com')}&p=1", "lat": 1.5}


WIDE = {ord(sign): 0xFEE0 + ord(sign) for sign in "@.+-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}
ARABIC = {ord(digit): 0x0660 + int(digit) for digit in "0123456789"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ada\uff20example.com", MAIL),
        ("ada\ufe6bexample.com", MAIL),
        ("a\u200bda@exam\u00adple.com", MAIL),
        ("ada%40example.com", MAIL),
        ("ada@example.com".translate(WIDE), MAIL),
        ("4111 1111 1111 1111".translate(WIDE), CARD),
        ("4111\u20091111\u00a01111\u20111111", CARD),
        ("4111.1111.1111.1111", CARD),
        ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", CARD),
        ("items 123 4567, card 4111 1111 1111 1111 1234", CARD),
        ("DE89.3704.0044.0532.0130.00", IBAN),
        ("DE89 3704 0044 0532 0130 00".translate(WIDE), IBAN),
        ("+49.170.765.4399", PHONE),
        ("+491707654399".translate(ARABIC), PHONE),
        ("+491707654399".translate(WIDE), PHONE),
        ("0170.7654399", PHONE),
        ("06.12.34.56.78", PHONE),
        ("555.234.5678", PHONE),
        ("555-234-5678", PHONE),
    ],
)
def test_other_spellings__are_found_in_the_same_normal_form(text: str, kind: str) -> None:
    data = {"a": text}
    for raw in (json.dumps(data).encode(), json.dumps(data, ensure_ascii=False).encode()):
        _, protected = HASHING.data(raw, data)
        assert protected != data
    assert [one.kind for one in find(text)] == [kind]


@pytest.mark.parametrize(
    "text", ["10.0.0.1", "1234.5678", "48.13743 11.57549", "01.02.2024", "v1.2.3-4", "123.456.7890"]
)
def test_numbers_with_dots__are_left_alone(text: str) -> None:
    assert find(text) == []


@pytest.mark.parametrize(
    "value", ["ada@example.com", "ada\uff20example.com", "ada%40example.com", "+49 170 7654399", "4111-1111-1111-1111"]
)
def test_id_in_clear__is_hashed_as_a_name_and_refused_as_a_platforms_id(value: str) -> None:
    assert len(HASHING.id(value)) == 64
    with pytest.raises(PersonalDataError):
        Protection(Policy.REFUSE, SALT).id(value)
    with pytest.raises(PersonalDataError):
        check_platform_id(value)


@pytest.mark.parametrize(
    "value",
    ["nw-5e38282445728660", "5E38282445728660", "a4111111111111111", "4111111111111111b"],
)
def test_digits__within_a_token_of_an_id__are_no_card(value: str) -> None:
    refusing = Protection(Policy.REFUSE, SALT)
    data = {"UserId": value}

    assert refusing.id(value) == value
    assert refusing.data(json.dumps(data).encode(), data)[1] is data
    check_platform_id(value)


@settings(max_examples=200)
@given(
    card=cards(),
    before=st.sampled_from(["", "user-", "nw-5e:", "id/", "paid with visa", "x y"]),
    after=st.sampled_from(["", "-x", ":7f", "/b", " today", "eur, thanks"]),
)
def test_card__alone_or_in_groups__is_found_within_ids_too(card: str, before: str, after: str) -> None:
    """Also beside letters, where the text is a sentence."""
    text = f"{before}{card}{after}"
    beside_letter = before[-1:].isalpha() or after[:1].isalpha()

    if " " in text or "-" in card or not beside_letter:
        assert [one.kind for one in find(text)] == [CARD]
        with pytest.raises(PersonalDataError):
            Protection(Policy.REFUSE, SALT).id(text)
    else:
        assert find(text) == []


@pytest.mark.parametrize(
    "value",
    [
        "4111111111111111",  # platforms number their users
        "nw-5e38282445728660",  # digits by chance within hexadecimal ones
        "user-4111111111111111",
        "5f11538c-fcb6-4600-88e0-6e51bff72bbc",
        "4111111111111111" + "a" * 24,  # a SHA-1
        "C-4711",
        "100%40",
    ],
)
def test_id_like_any_other__is_a_platforms_id(value: str) -> None:
    check_platform_id(value)


def test_card_as_a_number_with_a_fraction_of_nothing__is_found() -> None:
    _, protected = HASHING.data(b'{"a": 4111111111111111.0}', {"a": 4111111111111111.0})

    assert len(protected["a"]) == 64


def test_text_full_of_mail_addresses__is_hashed_as_one() -> None:
    found = find("ada@example.com " * 1_000)

    assert [(one.start, one.end) for one in found] == [(0, 16_000)]


@pytest.mark.parametrize(
    "name",
    [
        *("+49 170 7654321", "(0170) 765-4324", "0170 7654324", "\uff0b49 170 7654321", "ada@example.com"),
        *("4111 1111 1111 1111", "4111111111111111", "DE89370400440532013000", "DE89 3704 0044 0532 0130 00"),
    ],
)
@pytest.mark.parametrize("place", ["{}", "inner"])
def test_name_of_an_attribute__that_is_personal_data__is_hashed_or_refused(name: str, place: str) -> None:
    data: dict[str, Any] = {name: 1} if place == "{}" else {"more": [{name: 1}]}
    raw = json.dumps(data, ensure_ascii=False).encode()

    kept = HASHING.data(raw, data)[0].decode()

    assert name not in kept
    assert re.search('"[0-9a-f]{64}"', kept)
    with pytest.raises(PersonalDataError):
        Protection(Policy.REFUSE, SALT).data(raw, data)


@pytest.mark.parametrize("name", ["k.+4917076543255", "k.4111111111111111.b", "k.DE89370400440532013000"])
def test_name_of_an_attribute__with_personal_data_between_dots__is_hashed_there(name: str) -> None:
    kept = HASHING.data(json.dumps({name: 1}).encode(), {name: 1})[1]

    (found,) = kept
    assert re.fullmatch(r"k\.[0-9a-f]{64}(\.b)?", found)


@pytest.mark.parametrize("name", ["price", "2024-01-02", "item_12345678", "1234567890123", "a.b1.c2", "k.2.0.0.1", ""])
def test_name_of_an_attribute__that_is_none__stays(name: str) -> None:
    data = {name: 1, "mail": "ada@example.com"}

    assert name in HASHING.data(json.dumps(data).encode(), data)[1]
