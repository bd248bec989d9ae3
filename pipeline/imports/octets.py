"""Bytes in a `str`, a character a byte (latin-1): it splits and joins as quickly as text, and its lengths are those of
the bytes.
"""


def octets(raw: bytes) -> str:
    return raw.decode("latin-1")


def raw_of(held: str) -> bytes:
    return held.encode("latin-1")


def text_of(held: str) -> str:
    """What the bytes say; what is no UTF-8 becomes surrogates, which nothing takes."""
    return raw_of(held).decode(errors="surrogateescape")


def is_utf8(raw: bytes) -> bool:
    if raw.isascii():
        return True
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
