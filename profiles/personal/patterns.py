"""What personal data in clear looks like.

Mail addresses, card numbers and IBANs are found anywhere in a text, phone numbers only where they are the whole text.
Check digits are verified, so that an order number is not taken for a card number.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from profiles.personal import check_digits


class Finding(NamedTuple):
    """Personal data of a `kind`, at characters `start` to `end` of a text; `plain` is its one normal form."""

    start: int
    end: int
    kind: str
    plain: str


MAIL, CARD, IBAN, PHONE = "a mail address", "a card number", "an IBAN", "a phone number"

_MAIL = re.compile(r"(?<![\w.+])[\w.%+'-]{1,64}(?:@|%40)(?:[\w-]{1,63}\.)+[^\W\d_]{2,24}(?![\w-])")
_CARD = re.compile(r"(?<![\d.,+])\d(?:[ -]?\d){12,18}(?![\d]|[.,]\d)")
_IBAN = re.compile(r"(?<![A-Za-z0-9])([A-Za-z]{2})\d{2}(?=[ -]?[A-Za-z0-9])")
_INTERNATIONAL = re.compile(r"\+ ?\(?[1-9](?:[ ()/.-]{0,2}\d){6,14}\)?")
_NATIONAL = re.compile(r"(?:\(0?\d{1,5}\)|0\d{1,5})[ /-](?:[ /.-]?\d){5,10}|\(\d{3}\) ?\d{3}[ .-]\d{4}")
_NAMED = re.compile(r"[+(]?\d(?:[ ()/.-]{0,2}\d){5,14}")
_DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}")
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_PHONES = {
    "phone",
    "telephone",
    "phonenumber",
    "tel",
    "telefon",
    "mobile",
    "mobil",
    "cell",
    "cellphone",
    "fax",
    "msisdn",
}
_NOT_PHONES = {"os", "app", "device", "type", "site", "web", "version", "model", "brand", "operator", "network"}


def find(text: str) -> list[Finding]:
    """Returns the personal data in the text, in order and without overlaps."""
    phone = _phone(text, _INTERNATIONAL, _NATIONAL)
    if phone:
        return [phone]
    found = sorted(one for look in _LOOKS for one in look(text))
    kept: list[Finding] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def find_named(text: str) -> list[Finding]:
    """As `find`, for the value of an attribute whose name says that it is a phone number (`names_phone`)."""
    phone = _phone(text, _NAMED)
    return [phone] if phone else find(text)


def names_phone(name: str) -> bool:
    """Whether the name of an attribute says that its value is a phone number."""
    words = {word.lower() for word in _WORD.findall(name)}
    return not words.isdisjoint(_PHONES) and words.isdisjoint(_NOT_PHONES)


def _mails(text: str) -> Iterator[Finding]:
    for found in _MAIL.finditer(text):
        yield Finding(found.start(), found.end(), MAIL, found[0].replace("%40", "@").lower())


def _cards(text: str) -> Iterator[Finding]:
    for found in _CARD.finditer(text):
        digits = re.sub(r"[ -]", "", found[0])
        if check_digits.is_card(digits):
            yield Finding(found.start(), found.end(), CARD, digits)


def _ibans(text: str) -> Iterator[Finding]:
    for found in _IBAN.finditer(text):
        end, plain = _account_at(text, found.start(), check_digits.IBAN_LENGTHS.get(found[1].upper(), 0))
        if check_digits.is_iban(plain):
            yield Finding(found.start(), end, IBAN, plain)


def _account_at(text: str, start: int, length: int) -> tuple[int, str]:
    """Collects `length` letters and digits from `start` on, over single blanks and hyphens.

    Returns where they end, and the account number (empty if the text goes on with a letter or digit).
    """
    plain, end = "", start
    while end < len(text) and len(plain) < length:
        if text[end].isascii() and text[end].isalnum():
            plain += text[end].upper()
        elif text[end] not in " -" or text[end - 1] in " -":
            break
        end += 1
    return (end, "") if end < len(text) and text[end].isalnum() else (end, plain)


def _phone(text: str, *patterns: re.Pattern[str]) -> Finding | None:
    bare = text.strip()
    if _DATE.fullmatch(bare) or not any(pattern.fullmatch(bare) for pattern in patterns):
        return None
    digits = re.sub(r"\D", "", bare)
    if not 7 <= len(digits) <= 15:
        return None
    return Finding(0, len(text), PHONE, "+" + digits if bare.startswith("+") else digits)


_LOOKS: tuple[Callable[[str], Iterator[Finding]], ...] = (_mails, _ibans, _cards)
