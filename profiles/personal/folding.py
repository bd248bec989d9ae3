"""The plain form in which a text is searched for personal data.

A wide `@` and `@`, a digit of any script and a digit, a thin space and a space are the same to whoever reads them.
Every sign is folded by itself through a table. Unicode's own normalisation is not used: it sorts runs of combining
marks, which takes quadratic time, and some signs become eighteen. Here a sign becomes four at most.
"""

import unicodedata

_LAST = 0x1FFFF
"""Beyond are Chinese characters, and signs that only stand for other ones."""

_SAME = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe58\ufe63\uff0d", "-"),
    **dict.fromkeys("\u00b7\u2024\u3002\u30fb\uff61", "."),
    # signs without width
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""),
}


def _folded(sign: str) -> str | None:
    """Returns the ASCII that a sign stands for: a digit of any script, or what its compatible form says."""
    if sign in _SAME:
        return _SAME[sign]
    digit = unicodedata.decimal(sign, None)
    if digit is not None:
        return str(digit)
    plain = unicodedata.normalize("NFKC", sign)
    return plain if plain.isascii() else None


_TABLE = {code: plain for code in range(0x80, _LAST + 1) if (plain := _folded(chr(code))) is not None}
_LEADS = {chr(code).encode(errors="surrogatepass")[0] for code in _TABLE}
_HARMLESS = bytes(byte for byte in range(256) if byte not in _LEADS)


def may_fold(raw: bytes) -> bool:
    """Whether UTF-8 may hold a sign that is folded. A cheap look at the bytes: most texts of Europe hold none."""
    return not raw.isascii() and bool(raw.translate(None, _HARMLESS))


def folded(text: str) -> str:
    """Returns the text in plain form: `%40` is `@`, and signs that stand for ASCII are ASCII."""
    plain = text if text.isascii() else text.translate(_TABLE)
    return plain.replace("%40", "@") if "%40" in plain else plain
