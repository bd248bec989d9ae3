"""Texts that stand where an id should be and are known by heart: words, placeholders, and hashes of them.

All are in lower case. Where they come from: JavaScript, SQL, spreadsheets, tag managers,
identity resolvers' lists of refused ids, and devices that all report one id.
"""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from uuid import NAMESPACE_DNS, NAMESPACE_OID, NAMESPACE_URL, NAMESPACE_X500, uuid3, uuid5


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


NOTHING = _listed(
    "undefined null nil none nan na n/a unknown guest anonymous anonym anon nobody noname unset notset void empty "
    "blank missing undef unidentified unavailable invalid default false true optout"
)
"""Words that say that there is no id, alone or beside each other."""

_SAYINGS = (
    *("", "not set", "not_set", "not-set", "no id", "no_id", "no-id", "noid", "nouserid", "nouser", "no_user"),
    *("not available", "not_available", "not applicable", "not found", "not_found", "not authenticated"),
    *("not_authenticated", "not-authenticated", "not logged in", "not_logged_in", "not-logged-in", "loggedout"),
    *("logged out", "logged_out", "logged-out", "opt-out", "opt_out", "opted out", "opted_out", "opted-out"),
    *(
        "no value",
        "no_value",
        "novalue",
        "no data",
        "inf",
        "-inf",
        "infinity",
        "-infinity",
        "-nan",
        "1.#ind",
        "1.#qnan",
    ),
    *("placeholder", "macro", "replaceme", "replace_me", "replace-me", "changeme", "unbekannt", "gast", "inconnu"),
    *("desconocido", "sconosciuto", "onbekend", "[object object]", "object object", "system.object", "optional(nil)"),
    *("-1", "-1.0", "-1,0", "-0", "+0", "0x0", "0e0", "\\n", "\\0", "\\u0000", "0000-00-00t00:00:00z"),
    *("#n/a", "#nv", "#ref!", "#bezug!", "#value!", "#wert!", "#name?", "#null!", "#div/0!", "#num!", "#zahl!"),
    *("#calc!", "#spill!", "#getting_data", "#error!", "%!s(<nil>)", "%!d(<nil>)", "%!v(<nil>)", "<no value>"),
)
_BRACKETS = ("()", "<>", "[]", "{}")

_EXHAUSTED = (
    *("2147483647", "-2147483648", "4294967295", "9223372036854775807", "-9223372036854775808"),
    *("18446744073709551615", "9007199254740991", "9007199254740992"),
)
"""The end of a counter, at which every further user arrives."""

ZERO_GUID = "00000000-0000-0000-0000-000000000000"
_REPORTED_BY_ALL = (
    "9774d56d682e549c",  # the Android id of a series of early phones and of the emulator
    "02:00:00:00:00:00",  # what iOS and Android give for the network address
    "020000000000",
    "004999010640000",  # the device number of copied phones
    "123456789012345",
    "012345678912345",
    "1234567812345678",
    "12345678123412341234123456789012",
    "12345678123456781234567812345678",
    "12345678123412341234123456789abc",
    "123e4567e89b12d3a456426614174000",  # examples of the standard and its pages
    "123e4567e89b12d3a456426655440000",
    "550e8400e29b41d4a716446655440000",
    "6ba7b8109dad11d180b400c04fd430c8",
    "f81d4fae7dec11d0a76500a0c91e6bf6",
)

FIELDS = _listed(
    "id uid uuid guid user userid username usr customer customerid client clientid visitor visitorid member memberid "
    "account accountid contact contactid person personid profile profileid distinct distinctid device deviceid devid "
    "idfa idfv gaid aaid adid maid ifa euid vsid buyeruid advertising advertisingid email mail login crm crmid "
    "external externalid subscriber subscriberid lead leadid cookie cookieid"
)
"""Names of fields. With a word for nothing they name nobody (`user_undefined`), and so do names of ids alone."""

FILLERS = _listed("insert your my the replace with here me macro placeholder of in value object")
OF_IDS = frozenset(word for word in FIELDS if word.endswith("id") or word in ("uuid", "guid", "email", "idfa", "ifa"))


def words() -> Iterator[str]:
    """Yields each word for nothing, also in brackets."""
    yield from NOTHING
    yield from _SAYINGS
    for word in NOTHING:
        for brackets in _BRACKETS:
            yield f"{brackets[0]}{word}{brackets[1]}"


def placeholders() -> Iterator[str]:
    """Yields ids that were never anybody's, without hyphens."""
    yield from _EXHAUSTED
    yield from _REPORTED_BY_ALL
    for version in "0123456789abcdef":
        for variant in "0123456789abcdef":
            yield f"000000000000{version}000{variant}000000000000000"
            yield f"ffffffffffff{version}fff{variant}fffffffffffffff"


def hashes() -> Iterator[str]:
    """Yields the hashes of nothing, of the zero GUID and of every word: in hexadecimal without hyphens."""
    for text in _hashed():
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            yield hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()
    for text in ("", "undefined", "null", "none", "None", "NULL", "nan", "NaN", "0", "-1", ZERO_GUID):
        for space in (NAMESPACE_DNS, NAMESPACE_URL, NAMESPACE_OID, NAMESPACE_X500):
            yield uuid3(space, text).hex
            yield uuid5(space, text).hex


def hashes_in_base64() -> Iterator[str]:
    """Yields the same of nothing and of the zero GUID in Base64."""
    for text in ("", ZERO_GUID, ZERO_GUID.replace("-", "")):
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            digest = hashlib.new(algorithm, text.encode(), usedforsecurity=False).digest()
            for encoded in (b64encode(digest).decode(), urlsafe_b64encode(digest).decode()):
                yield encoded.lower()
                yield encoded.lower().rstrip("=")


def _hashed() -> Iterator[str]:
    yield from ("\n", " ", "0", "00", "0.0", "\0", "[object Object]", "{}", "[]", '""')
    for guid in (ZERO_GUID, ZERO_GUID.replace("-", ""), "f" * 32, "ffffffff-ffff-ffff-ffff-ffffffffffff", "0" * 16):
        yield from (guid, guid.upper())
    yield from ("0" * 15, "02:00:00:00:00:00")
    for word in (*NOTHING, *_SAYINGS):
        yield from {word, word.upper(), word.capitalize(), word.title(), f"{word}\n"}
    yield from ("NaN", "notSet", "notLoggedIn", "N/A\n", "__IDFA__", "$UID", "[[USERID]]", "${USER_ID}")
