"""One spelling for each id: what senders write in several ways for one and the same."""

from core.patterns import whole

DEVICE = "device:"
_BLANKS = "\ufeff\u200b\u200c\u200d\u2060\u00ad"
"""Signs without width, which `str.strip` leaves."""

_HEXADECIMAL = whole(r"\{?[0-9A-Fa-f]{4,}+(?:[-:][0-9A-Fa-f]{2,}+)*+\}?")
_WHOLE = whole(r"-?[0-9]{1,15}+\.0{1,6}+")


def one_spelling(kind: str, value: str) -> str:
    """Returns the spelling in which an id of this kind is kept. `kind` as in `core.messages`.

    Blanks around it go. Of a device, hexadecimal digits are in lower case: GUIDs and hashes are compared so (RFC 9562
    § 4). A customer's own id that a table made a number with a decimal point is the whole number again: `4712.0` is
    `4712`. Beyond that the ids of customers and platforms are theirs: `ab` and `AB` may be two.
    """
    if not value[:1].isalnum() or not value[-1].isalnum():
        value = value.strip().strip(_BLANKS).strip()
    if kind == "user":
        return value.partition(".")[0] if "." in value and _WHOLE(value) else value
    return value.strip("{}").lower() if kind.startswith(DEVICE) and _HEXADECIMAL(value) else value


def of_guid(value: str) -> str:
    """Returns the spelling of a platform's id where the platform's ids are GUIDs."""
    return value.lower()
