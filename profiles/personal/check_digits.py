"""Numbers with check digits: card numbers (Luhn, and the ranges of known issuers) and IBANs (ISO 13616)."""

from core.patterns import whole

_ISSUERS = whole(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11}"  # Diners
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|6(?:011|5\d\d|4[4-9]\d)\d{12}"  # Discover
    r"|62\d{14,17}"  # UnionPay
)

CARD_LENGTHS = {"2": {16}, "3": {14, 15, 16}, "4": {13, 16, 19}, "5": {16}, "6": {16, 17, 18, 19}}
"""How many digits cards have, by the first one."""

IBAN_LENGTHS = {
    code: length
    for length, codes in {
        15: "NO",
        16: "BE",
        18: "DK FO FI GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU",
        31: "MT SC",
        32: "LC",
    }.items()
    for code in codes.split()
}


_VALUES = bytes(byte - ord("0") if chr(byte).isdecimal() and byte < 0x80 else 0 for byte in range(256))
_DOUBLED = bytes(sum(divmod(2 * byte, 10)) if byte < 10 else 0 for byte in range(256))
_LETTERS = {ord(letter): str(int(letter, 36)) for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def is_card(digits: str) -> bool:
    """Whether it is the number of a card. `digits`: at most some dozens of them, in ASCII."""
    return _ISSUERS(digits) is not None and has_luhn_digit(digits)


def has_luhn_digit(digits: str) -> bool:
    """Whether the last digit is the right check digit of the others (ISO/IEC 7812-1)."""
    written = digits.encode().translate(_VALUES)
    return (sum(written[-1::-2]) + sum(written[-2::-2].translate(_DOUBLED))) % 10 == 0


def is_iban(account: str) -> bool:
    """Whether it is a valid IBAN. `account` holds upper-case letters and digits only, no blanks."""
    if len(account) != IBAN_LENGTHS.get(account[:2]):
        return False
    return int((account[4:] + account[:4]).translate(_LETTERS)) % 97 == 1
