"""What personal data in clear looks like: mail addresses, card numbers and IBANs anywhere in a text, phone numbers
where they are all of it. Numbers are checked by their own check digits, so that an order's is not taken for a card's.
"""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from profiles.personal import numbers


class Find(NamedTuple):
    """Characters `start` to `end` are a `kind` of personal data; `plain` is its one normal form."""

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


def find(text: str) -> list[Find]:
    """All that is found, in order, none overlapping another."""
    phone = _phone(text, _INTERNATIONAL, _NATIONAL)
    if phone:
        return [phone]
    found = sorted(one for look in _LOOKS for one in look(text))
    kept: list[Find] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def find_named(text: str) -> list[Find]:
    """As `find`, where the name beside the text says that it is a phone number."""
    phone = _phone(text, _NAMED)
    return [phone] if phone else find(text)


def names_phone(name: str) -> bool:
    """Whether what stands under the name is a phone number, whatever it looks like."""
    words = {word.lower() for word in _WORD.findall(name)}
    return not words.isdisjoint(_PHONES) and words.isdisjoint(_NOT_PHONES)


def _mails(text: str) -> Iterator[Find]:
    for found in _MAIL.finditer(text):
        yield Find(found.start(), found.end(), MAIL, found[0].replace("%40", "@").lower())


def _cards(text: str) -> Iterator[Find]:
    for found in _CARD.finditer(text):
        digits = re.sub(r"[ -]", "", found[0])
        if numbers.is_card(digits):
            yield Find(found.start(), found.end(), CARD, digits)


def _ibans(text: str) -> Iterator[Find]:
    for found in _IBAN.finditer(text):
        end, plain = _account(text, found.start(), numbers.IBAN_LENGTHS.get(found[1].upper(), 0))
        if numbers.is_iban(plain):
            yield Find(found.start(), end, IBAN, plain)


def _account(text: str, start: int, length: int) -> tuple[int, str]:
    """As many letters and digits from `start` on, over single blanks and hyphens; where they end."""
    plain, end = "", start
    while end < len(text) and len(plain) < length:
        if text[end].isascii() and text[end].isalnum():
            plain += text[end].upper()
        elif text[end] not in " -" or text[end - 1] in " -":
            break
        end += 1
    return (end, "") if end < len(text) and text[end].isalnum() else (end, plain)


def _phone(text: str, *patterns: re.Pattern[str]) -> Find | None:
    bare = text.strip()
    if _DATE.fullmatch(bare) or not any(pattern.fullmatch(bare) for pattern in patterns):
        return None
    digits = re.sub(r"\D", "", bare)
    return (
        Find(0, len(text), PHONE, "+" + digits if bare.startswith("+") else digits) if 7 <= len(digits) <= 15 else None
    )


_LOOKS: tuple[Callable[[str], Iterator[Find]], ...] = (_mails, _ibans, _cards)
