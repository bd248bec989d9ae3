"""What personal data in clear looks like.

Mail addresses, card numbers and IBANs are found anywhere in a text, phone numbers only where they are the whole text.
Check digits are verified, so that an order number is not taken for a card number. Texts are looked at in plain form
(`folding.folded`): whoever replaces what was found must do so in that form.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from core.patterns import FullMatch, Scan, first, prefix, scan, whole
from profiles.personal import check_digits
from profiles.personal.folding import folded


class Finding(NamedTuple):
    """Personal data of a `kind`, at characters `start` to `end` of a text; `plain` is its one normal form."""

    start: int
    end: int
    kind: str
    plain: str


MAIL, CARD, IBAN, PHONE = "a mail address", "a card number", "an IBAN", "a phone number"

LONGEST_LOCAL = 64  # characters of a mail address before the @ (RFC 5321)
LONGEST_PHONE = 40
LONGEST_NAME = 200  # characters of an attribute's name that are read
LEAST_CARD = 13  # digits
LONGEST_CARD = 26  # characters, and a few that follow
LEAST_PHONE, MOST_PHONE = 7, 15  # digits
MOST_GROUPS = 5  # of a card number
MOST_FINDINGS = 100  # in a text

_DOMAINS = scan(r"@[\w-]++(?:\.[\w-]++)++")
_GROUPS = scan(r"[0-9]{3,}+(?:[ -][0-9]{3,}+)*+(?:[ -][0-9]{1,2}+)?+")
_SINGLE_DIGITS = scan(r"[0-9](?:[ -][0-9]){12,18}+")
_DOTTED = scan(r"[0-9]{4}\.[0-9]{4,6}+\.[0-9]{4,5}+(?:\.[0-9]{1,7}+)?+")
_ONE_WORD = whole(r"[A-Za-z0-9._:~/-]{1,256}+")
_COUNTRIES = scan(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}")
_INTERNATIONAL = whole(r"\+ ?\(?[1-9](?:[ ()/.-]{0,2}+[0-9]){6,14}+\)?")
_NATIONAL = whole(
    r"(?:\([0-9]{1,6}+\)|0[0-9]{1,5}+)[ /-](?:[ /.-]?+[0-9]){5,10}+"
    r"|0[0-9]{2,5}+\.(?:[ /.-]?+[0-9]){5,10}+"
    r"|0[1-9](?:\.[0-9]{2}){4}"  # France
    r"|\([0-9]{3}\) ?[0-9]{3}[ .-][0-9]{4}"
    r"|[2-9][0-9]{2}(?:\.[2-9][0-9]{2}\.|-[2-9][0-9]{2}-| [2-9][0-9]{2} )[0-9]{4}"  # North America
)
_NAMED = whole(r"[+(]?[0-9](?:[ ()/.-]{0,2}+[0-9]){5,14}+")
_DATE = whole(r"[0-9]{1,4}+(?:-[0-9]{1,2}+-|/[0-9]{1,2}+/|\.[0-9]{1,2}+\.)[0-9]{1,4}+")
# what every card number and every IBAN has, and the beginning of every phone number: see `is_free`
_LIKE_A_CARD_OR_IBAN = first(r"(?<![0-9])(?:[2-6](?:[ .-]?+[0-9]){12}|[A-Za-z]{2}[0-9]{2}(?:[ .-]?+[A-Za-z0-9]){11})")
_LIKE_A_PHONE = prefix(r"[^!-~]|[+(]|0[0-9]{1,5}+[ /.-]|[2-9][0-9]{2}[ .-]")
_WORDS = scan(r"[A-Z]?[a-z]++|[A-Z]++")
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
    """Returns the personal data in the text, in order and without overlaps. Places are those of its plain form.

    A text that holds very much of it counts as one piece.
    """
    plain = folded(text)
    phone = _phone(plain, _INTERNATIONAL, _NATIONAL)
    if phone:
        return [phone]
    found: list[Finding] = []
    for look in _LOOKS:
        found += islice(look(plain), MOST_FINDINGS)
    if not found:
        return found
    found.sort()
    if len(found) >= MOST_FINDINGS:
        return [Finding(0, len(plain), found[0].kind, plain)]
    kept: list[Finding] = []
    for one in found:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def is_free(text: str) -> bool:
    """Whether a short text certainly holds no personal data: `find` would find nothing. Most ids are seen to be so.

    It costs a tenth of `find`. False says nothing.
    """
    if not text.isascii() or "@" in text or "%" in text:
        return False
    return not (_LIKE_A_PHONE(text) or _LIKE_A_CARD_OR_IBAN(text))


def find_named(text: str) -> list[Finding]:
    """As `find`, for the value of an attribute whose name says that it is a phone number (`names_phone`)."""
    phone = _phone(folded(text), _NAMED)
    return [phone] if phone else find(text)


def holds_mail(text: str) -> bool:
    """Whether a mail address in clear stands in the text."""
    return next(_mails(folded(text)), None) is not None


def names_phone(name: str) -> bool:
    """Whether the name of an attribute says that its value is a phone number."""
    words = {found[0].lower() for found in _WORDS(name[:LONGEST_NAME])}
    return not words.isdisjoint(_PHONES) and words.isdisjoint(_NOT_PHONES)


def _mails(text: str) -> Iterator[Finding]:
    if "@" not in text:
        return
    last = 0
    for found in _DOMAINS(text):
        sign, domain = found.start(), _domain(found[0])
        start = _start_of_local(text, sign, max(last, sign - LONGEST_LOCAL)) if domain else sign
        if start < sign:
            last = sign + len(domain)
            yield Finding(start, last, MAIL, text[start:last].lower())


def _domain(written: str) -> str:
    """Returns what of `@` and labels is a domain: up to the last label of letters; empty where none is."""
    labels = written.split(".")
    while len(labels) > 1:
        last = labels[-1]
        if last.isalpha() and 2 <= len(last) <= 24:
            return ".".join(labels)
        labels.pop()
    return ""


def _start_of_local(text: str, sign: int, least: int) -> int:
    """Returns where the part of a mail address before the @ begins: at the @ itself, where there is none."""
    start = sign
    while start > least and (text[start - 1].isalnum() or text[start - 1] in "._%+'-"):
        start -= 1
    return start


def _cards(text: str) -> Iterator[Finding]:
    for found in _GROUPS(text):
        if found.end() - found.start() >= LEAST_CARD:
            yield from _cards_among(text, found.start(), found.end())
    if "." in text:
        yield from _spelled_cards(text, _DOTTED)
    if text.count(" ") + text.count("-") >= LEAST_CARD - 1:
        yield from _spelled_cards(text, _SINGLE_DIGITS)


def _spelled_cards(text: str, spelled: Scan[str]) -> Iterator[Finding]:
    for found in spelled(text):
        digits = "".join(filter(str.isdigit, found[0]))
        if not _is_cut(text, found.start(), found.end()) and check_digits.is_card(digits):
            yield Finding(found.start(), found.end(), CARD, digits)


def _cards_among(text: str, start: int, end: int) -> Iterator[Finding]:
    """Yields the card numbers in a row of groups of digits: each is some groups that follow each other."""
    groups = text[start:end].replace("-", " ").split(" ")
    starts = [start]
    for group in groups:
        starts.append(starts[-1] + len(group) + 1)
    first = 0
    judged = set[str]()
    while first < len(groups):
        written = text[starts[first] - 1 : starts[first] + LONGEST_CARD]
        found = None if written in judged else _card_at(text, groups, starts, first)
        if found is None:
            judged.add(written)
            first += 1
        else:
            first = starts.index(found.end + 1, first)
            yield found


def _card_at(text: str, groups: list[str], starts: list[int], first: int) -> Finding | None:
    lengths = check_digits.CARD_LENGTHS.get(groups[first][0])
    if lengths is None:
        return None
    length = 0
    for last in range(first, min(first + MOST_GROUPS, len(groups))):
        length += len(groups[last])
        if length in lengths:
            digits = "".join(groups[first : last + 1])
            begin, end = starts[first], starts[last + 1] - 1
            if not check_digits.is_card(digits) or _is_cut(text, begin, end):
                continue
            if first < last or not _is_within_token(text, begin, end):
                return Finding(begin, end, CARD, digits)
    return None


def _is_cut(text: str, start: int, end: int) -> bool:
    """Whether the digits are only a part of a number: of one with more digits, or with decimals."""
    before, after = text[max(start - 1, 0) : start], text[end : end + 2]
    return (
        (before != "" and before in "0123456789.,+")
        or after[:1].isdigit()
        or (after[:1] in {".", ","} and after[1:].isdigit())
    )


def _is_within_token(text: str, start: int, end: int) -> bool:
    """Whether a text is an id, and the digits only a part of a token in it, beside letters: then they are chance.

    One hexadecimal id in some ten thousand would be taken for a card. In a sentence, digits beside a letter are a card.
    """
    beside = text[max(start - 1, 0) : start] + text[end : end + 1]
    return any(sign.isalpha() for sign in beside) and _ONE_WORD(text) is not None


def _ibans(text: str) -> Iterator[Finding]:
    """Yields the IBANs. What is no IBAN is judged once, however often the text repeats it."""
    judged = set[str]()
    for found in _COUNTRIES(text):
        start = found.start()
        length = check_digits.IBAN_LENGTHS.get(found[0][:2].upper(), 0)
        written = text[start : start + 2 * length + 1]
        if not length or written in judged:
            continue
        end, plain = _account_at(text, start, length)
        if plain and check_digits.is_iban(plain):
            yield Finding(start, end, IBAN, plain)
        else:
            judged.add(written)


def _account_at(text: str, start: int, length: int) -> tuple[int, str]:
    """Collects `length` letters and digits from `start` on, over single blanks, hyphens and dots.

    Returns where they end, and the account number (empty if the text goes on with a letter or digit).
    """
    plain, end = "", start
    while end < len(text) and len(plain) < length:
        if text[end].isascii() and text[end].isalnum():
            plain += text[end].upper()
        elif text[end] not in " -." or text[end - 1] in " -.":
            break
        end += 1
    return (end, "") if end < len(text) and text[end].isalnum() else (end, plain)


def _phone(text: str, *patterns: FullMatch[str]) -> Finding | None:
    bare = text.strip()
    if len(bare) > LONGEST_PHONE:
        return None
    for pattern in patterns:
        if pattern(bare) and not _DATE(bare):
            return _phone_number(text, bare)
    return None


def _phone_number(text: str, bare: str) -> Finding | None:
    digits = "".join(filter(str.isdigit, bare))
    if not LEAST_PHONE <= len(digits) <= MOST_PHONE:
        return None
    return Finding(0, len(text), PHONE, "+" + digits if bare.startswith("+") else digits)


_LOOKS: tuple[Callable[[str], Iterator[Finding]], ...] = (_mails, _ibans, _cards)
