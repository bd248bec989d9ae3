"""Sync templates: the address of a platform that a browser is sent to, with macros in it.

    {{callback}}            our address that the platform sends the browser back to, percent-encoded once
    {{callback_raw}}        the same as it is, the way 001_6c0121e2456e8832.txt writes it
    {{callback:$UID}}       with the platform's own macro for its user id (raw: {{callback_raw:$UID}}), and more
                            parameters where it fills in more: {{callback:[MM_UUID]&dc=[MT_DC]}}
    {{user_id}}             our id of the user
    {{cachebuster}}         a random number
    <platformId:integer>, <secureToken:string>
                            for a callback that is written out, as the document does
    ${GDPR}, ${GDPR_CONSENT_<vendor id>}, ${US_PRIVACY}, ${GPP_STRING_<vendor id>}, ${GPP_SID}
                            the consent signals of the request; empty where it carried none

Everything else is the platform's, its macros among it, and goes out untouched.
"""

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from integrations.platform_user_ids import holds_macro

MOST_CHARACTERS = 2000
USER_ID = "[[USERID]]"


class Name(Enum):
    """What stands in place of a macro."""

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
    """`argument`: what follows `userid=` in a callback; a consent signal's parameter; an unknown one's text."""

    name: Name
    argument: str = ""


Part = str | Macro

CALLBACKS = frozenset({Name.CALLBACK, Name.CALLBACK_RAW})

_OURS = {name.value.strip("{}"): name for name in (Name.CALLBACK, Name.CALLBACK_RAW, Name.USER, Name.CACHEBUSTER)}
_WRITTEN = {name.value: name for name in (Name.PLATFORM, Name.TOKEN)}
_SIGNALS = {
    re.compile("GDPR"): "gdpr",
    re.compile(r"GDPR_CONSENT_\d+"): "gdpr_consent",
    re.compile("US_PRIVACY"): "us_privacy",
    re.compile(r"GPP_STRING_\d+"): "gpp",
    re.compile("GPP_SID"): "gpp_sid",
}
_MACRO = re.compile(r"(\{\{(?:[^{}]|\{[^{}]*\})*\}\}|<[^<>]*>|\$\{[^{}]*\})")
_HOST = re.compile(r"(?:https?:)?//(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?[/?]")
_STRANGE = re.compile(r"[^A-Za-z0-9\-._~:/?\[\]@!$&'()*+,;=%{}|]")
_ARGUMENT = re.compile(r"[^&=#]+(?:&[A-Za-z0-9_]+=[^&=#]*)*")
_WRITTEN_OUT = re.compile(r"/uid\?")
_OURS_ALREADY = re.compile(r"&(?:userid|pl|plsec|plcsec|ts|sig|_ck)=")


def parse(template: str) -> list[Part]:
    """Texts and macros in turn; a macro that nobody knows is `Name.UNKNOWN`."""
    pieces = _MACRO.split(template)
    found: list[Part] = []
    for index, piece in enumerate(pieces):
        part = _macro(piece) if index % 2 else piece
        if part != "":
            found.append(part)
    return found


def _macro(text: str) -> Part:
    if text in _WRITTEN:
        return Macro(_WRITTEN[text])
    if text.startswith("{{"):
        name, colon, argument = text[2:-2].strip().partition(":")
        known = _OURS.get(name.strip(), Name.UNKNOWN)
        if known is Name.UNKNOWN or (colon and known not in CALLBACKS):
            return Macro(Name.UNKNOWN, text)
        return Macro(known, argument.strip() if colon else USER_ID) if known in CALLBACKS else Macro(known)
    if text.startswith("${"):
        signal = next((name for pattern, name in _SIGNALS.items() if pattern.fullmatch(text[2:-1])), None)
        if signal is not None:
            return Macro(Name.SIGNAL, signal)
        return text if holds_macro(text) else Macro(Name.UNKNOWN, text)
    return Macro(Name.UNKNOWN, text)


def faults(template: str, sync_auth: str) -> list[str]:
    """All that is wrong with a template of a platform whose syncs are authenticated so (`token`, `signed`)."""
    parts = parse(template)
    names = [part.name for part in parts if isinstance(part, Macro)]
    return [
        *_address_faults(template),
        *_text_faults(template, parts),
        *_macro_faults(parts),
        *_callback_faults(template, names),
        *_argument_faults(parts),
        *_user_id_faults(parts),
        *_token_faults(template, names, signed=sync_auth == "signed"),
    ]


def _address_faults(template: str) -> list[str]:
    found = []
    if len(template) > MOST_CHARACTERS:
        found.append(f"is longer than {MOST_CHARACTERS} characters")
    address = _HOST.match(template)
    if address is None or int(address[1] or 443) not in range(1, 65536):
        found.append("must be an address that begins with https://, http:// or //, then a host and / or ?")
    return found


def _text_faults(template: str, parts: list[Part]) -> list[str]:
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in template):
        return ["must not hold line breaks or other control characters"]
    if any("#" in part for part in parts if isinstance(part, str)):
        return ["must not hold #: what follows it never reaches the platform"]
    strange = sorted({sign for part in parts if isinstance(part, str) for sign in _STRANGE.findall(part)})
    return [f"holds what must be percent-encoded: {' '.join(map(repr, strange))}"] if strange else []


def _macro_faults(parts: list[Part]) -> list[str]:
    unknown = [part.argument for part in parts if isinstance(part, Macro) and part.name is Name.UNKNOWN]
    return [f"holds the unknown macro {text}" for text in dict.fromkeys(unknown)]


def _callback_faults(template: str, names: list[Name]) -> list[str]:
    callbacks = sum(name in CALLBACKS for name in names)
    if callbacks > 1:
        return ["must hold one callback, not several"]
    if callbacks:
        return []
    written = unquote(template)
    if not _WRITTEN_OUT.search(written):
        return ["must hold {{callback}}: the address that the platform sends the browser back to"]
    if f"pl={Name.PLATFORM.value}" not in written:
        return [f"must hold pl={Name.PLATFORM.value} in a callback that is written out"]
    return []


def _argument_faults(parts: list[Part]) -> list[str]:
    found = []
    for part in parts:
        if not isinstance(part, Macro) or part.name not in CALLBACKS:
            continue
        if not _ARGUMENT.fullmatch(part.argument) or _STRANGE.search(part.argument):
            found.append("names in {{callback:…}} a user-id macro, then further parameters as &name=value")
        elif _OURS_ALREADY.search(part.argument):
            found.append("repeats in {{callback:…}} a parameter that the callback has already")
    return found


def _user_id_faults(parts: list[Part]) -> list[str]:
    texts = [part if isinstance(part, str) else part.argument for part in parts if _may_hold_user_id(part)]
    if any(holds_macro(text) for text in texts):
        return []
    return [f"holds no macro for the platform's user id, such as {USER_ID}"]


def _may_hold_user_id(part: Part) -> bool:
    return isinstance(part, str) or part.name in CALLBACKS


def _token_faults(template: str, names: list[Name], *, signed: bool) -> list[str]:
    tokens = names.count(Name.TOKEN)
    if signed and tokens:
        return [f"must not hold {Name.TOKEN.value}: this platform signs its syncs"]
    if not CALLBACKS.isdisjoint(names):
        return [f"must not hold {Name.TOKEN.value} outside the callback"] if tokens else []
    decoded = unquote(template)
    given = [f"{name}={Name.TOKEN.value}" in decoded for name in ("plsec", "plcsec")]
    if signed or not _WRITTEN_OUT.search(decoded) or (any(given) and tokens == 1):
        return []
    return [f"must hold plsec={Name.TOKEN.value} once in a callback that is written out"]
