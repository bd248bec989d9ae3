"""Telephone numbers in the form that platforms hash: E.164, with the country in front."""

import phonenumbers


def normal_form(digits: str, region: str) -> str:
    """Returns a number (digits, perhaps a `+` before them) in E.164: `030 123456` of DE is `+4930123456`.

    A number that cannot be one there, or that names no country where `region` is empty, stays as it is.
    """
    if not region and not digits.startswith("+"):
        return digits
    try:
        number = phonenumbers.parse(digits, region or None)
    except phonenumbers.NumberParseException:
        return digits
    if not phonenumbers.is_possible_number(number):
        return digits
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
