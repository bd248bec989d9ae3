"""Sync templates: the address of a platform to which the hub sends a browser, with macros in it.

    {{callback}}            our address, to which the platform sends the browser back; percent-encoded once
    {{callback_raw}}        the same without encoding, as 001_6c0121e2456e8832.txt writes it
    {{callback:$UID}}       with the platform's own macro for its user id (raw: {{callback_raw:$UID}}), and more
                            parameters if it fills in more: {{callback:[MM_UUID]&dc=[MT_DC]}}
    {{user_id}}             our id of the user
    {{cachebuster}}         a random number
    <platformId:integer>, <secureToken:string>
                            for a callback that is written in full, as the document does
    ${GDPR}, ${GDPR_CONSENT_<vendor id>}, ${US_PRIVACY}, ${GPP_STRING_<vendor id>}, ${GPP_SID}
                            the consent signals of the request; empty if the request had none

Everything else belongs to the platform, its own macros included, and is sent unchanged.
This module parses and checks templates. It must not fill them in: `usersync.sync_urls` does that.
"""

from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from core.ids.macros import holds_user_id_macro
from core.patterns import linear

MAX_CHARACTERS = 2000
USER_ID = "[[USERID]]"


class MacroName(Enum):
    """The macros of the hub."""

    CALLBACK = "{{callback}}"
    CALLBACK_RAW = "{{callback_raw}}"
    USER = "{{user_id}}"
    CACHEBUSTER = "{{cachebuster}}"
    PLATFORM = "<platformId:integer>"
    TOKEN = "<secureToken:string>"
    SIGNAL = "${…}"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Macro:
    """One macro of a template.

    `argument` is, for a callback, what follows `userid=`; for a consent signal, the name of its parameter; for an
    unknown macro, its text.
    """

    name: MacroName
    argument: str = ""


Part = str | Macro

CALLBACKS = frozenset({MacroName.CALLBACK, MacroName.CALLBACK_RAW})

_CURLY = {name.value.strip("{}"): name for name in MacroName if name.value.startswith("{{")}
_BRACKETED = {name.value: name for name in (MacroName.PLATFORM, MacroName.TOKEN)}
# (name, whether the id of a vendor follows it): the parameter
_SIGNALS = {
    ("GDPR", False): "gdpr",
    ("GDPR_CONSENT_", True): "gdpr_consent",
    ("US_PRIVACY", False): "us_privacy",
    ("GPP_STRING_", True): "gpp",
    ("GPP_SID", False): "gpp_sid",
}
_MACRO = linear(r"(\{\{(?:[^{}]|\{[^{}]*\})*\}\}|<[^<>]*>|\$\{[^{}]*\})", MAX_CHARACTERS)
_HOST = linear(
    r"\A(?:https?:)?//(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?[/?]", MAX_CHARACTERS
)
_UNENCODED = linear(r"[^A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%{}|]", MAX_CHARACTERS)
_ARGUMENT = linear(r"[^&=#]+(?:&[A-Za-z0-9_]+=[^&=#]*)*", MAX_CHARACTERS)
_PLAIN_CALLBACK = "/uid?"
_REPEATED = linear(r"&(?:userid|pl|plsec|plcsec|ts|sig|_ck)=", MAX_CHARACTERS)


def parse(template: str) -> list[Part]:
    """Split a template into texts and macros, in order. A macro that the hub does not know is `MacroName.UNKNOWN`."""
    pieces = _MACRO.split(template)
    found: list[Part] = []
    for index, piece in enumerate(pieces):
        part = _macro(piece) if index % 2 else piece
        if part != "":
            found.append(part)
    return found


def _macro(text: str) -> Part:
    if text in _BRACKETED:
        return Macro(_BRACKETED[text])
    if text.startswith("{{"):
        name, colon, argument = text[2:-2].strip().partition(":")
        known = _CURLY.get(name.strip(), MacroName.UNKNOWN)
        if known is MacroName.UNKNOWN or (colon and known not in CALLBACKS):
            return Macro(MacroName.UNKNOWN, text)
        return Macro(known, argument.strip() if colon else USER_ID) if known in CALLBACKS else Macro(known)
    if text.startswith("${"):
        signal = next((name for macro, name in _SIGNALS.items() if _is_signal(text[2:-1], *macro)), None)
        if signal is not None:
            return Macro(MacroName.SIGNAL, signal)
        return text if holds_user_id_macro(text) else Macro(MacroName.UNKNOWN, text)
    return Macro(MacroName.UNKNOWN, text)


def _is_signal(text: str, name: str, of_vendor: bool) -> bool:
    if not of_vendor:
        return text == name
    vendor = text.removeprefix(name)
    return vendor != text and vendor.isascii() and vendor.isdigit()


def find_errors(template: str, sync_auth: str) -> list[str]:
    """Return every error in a template, in words. `sync_auth` is how syncs are authenticated: `token` or `signed`."""
    if len(template) > MAX_CHARACTERS:
        return [f"is longer than {MAX_CHARACTERS} characters"]
    parts = parse(template)
    names = [part.name for part in parts if isinstance(part, Macro)]
    return [
        *_address_errors(template),
        *_text_errors(template, parts),
        *_macro_errors(parts),
        *_callback_errors(template, names),
        *_argument_errors(parts),
        *_user_id_errors(parts),
        *_token_errors(template, names, signed=sync_auth == "signed"),
    ]


def _address_errors(template: str) -> list[str]:
    address = _HOST.search(template)
    if address is None or int(address[1] or 443) not in range(1, 65536):
        return ["must be an address that begins with https://, http:// or //, then a host and / or ?"]
    return []


def _text_errors(template: str, parts: list[Part]) -> list[str]:
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in template):
        return ["must not hold line breaks or other control characters"]
    if any("#" in part for part in parts if isinstance(part, str)):
        return ["must not hold #: what follows it never reaches the platform"]
    strange = sorted({sign[0] for part in parts if isinstance(part, str) for sign in _UNENCODED.finditer(part)})
    return [f"holds what must be percent-encoded: {' '.join(map(repr, strange))}"] if strange else []


def _macro_errors(parts: list[Part]) -> list[str]:
    unknown = [part.argument for part in parts if isinstance(part, Macro) and part.name is MacroName.UNKNOWN]
    return [f"holds the unknown macro {text}" for text in dict.fromkeys(unknown)]


def _callback_errors(template: str, names: list[MacroName]) -> list[str]:
    callbacks = sum(name in CALLBACKS for name in names)
    if callbacks > 1:
        return ["must hold one callback, not several"]
    if callbacks:
        return []
    written = unquote(template)
    if _PLAIN_CALLBACK not in written:
        return ["must hold {{callback}}: the address that the platform sends the browser back to"]
    if f"pl={MacroName.PLATFORM.value}" not in written:
        return [f"must hold pl={MacroName.PLATFORM.value} in a callback that is written out"]
    return []


def _argument_errors(parts: list[Part]) -> list[str]:
    found = []
    for part in parts:
        if not isinstance(part, Macro) or part.name not in CALLBACKS:
            continue
        if not _ARGUMENT.fullmatch(part.argument) or _UNENCODED.search(part.argument):
            found.append("names in {{callback:…}} a user-id macro, then further parameters as &name=value")
        elif _REPEATED.search(part.argument):
            found.append("repeats in {{callback:…}} a parameter that the callback has already")
    return found


def _user_id_errors(parts: list[Part]) -> list[str]:
    texts = [part if isinstance(part, str) else part.argument for part in parts if _may_hold_user_id(part)]
    if any(holds_user_id_macro(text) for text in texts):
        return []
    return [f"holds no macro for the platform's user id, such as {USER_ID}"]


def _may_hold_user_id(part: Part) -> bool:
    return isinstance(part, str) or part.name in CALLBACKS


def _token_errors(template: str, names: list[MacroName], *, signed: bool) -> list[str]:
    tokens = names.count(MacroName.TOKEN)
    if signed and tokens:
        return [f"must not hold {MacroName.TOKEN.value}: this platform signs its syncs"]
    if not CALLBACKS.isdisjoint(names):
        return [f"must not hold {MacroName.TOKEN.value} outside the callback"] if tokens else []
    decoded = unquote(template)
    given = [f"{name}={MacroName.TOKEN.value}" in decoded for name in ("plsec", "plcsec")]
    if signed or _PLAIN_CALLBACK not in decoded or (any(given) and tokens == 1):
        return []
    return [f"must hold plsec={MacroName.TOKEN.value} once in a callback that is written out"]
