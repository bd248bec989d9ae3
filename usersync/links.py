"""Links for mailings: they lead through the hub, so that the reader who follows one is matched. No Django here.

The signed token names platform, mailing and target, and is made once per mailing; the mailing system fills in
who its reader is. A target is what a browser may be sent to, and nothing that reads as one address to us and
as another to a browser.
"""

from enum import StrEnum
from urllib.parse import quote

import idna
import msgspec

from core.keys import TokenSigner
from core.patterns import has_control, has_surrogate, whole

PURPOSE = "links"
"""What the secrets of the tokens are derived for."""

MAX_TARGET = 2000
MAX_MAILING = 200

MAX_HOST = 253

_ADDRESS = whole(r"(?P<scheme>https?+)://(?P<authority>[^/?#]++)(?P<rest>[/?#][\s\S]*+)?+", ignore_case=True)
_AUTHORITY = whole(r"(?P<host>\[[0-9A-Fa-f:.]++\]|[^\[\]:]++)(?::(?P<port>[0-9]{1,5}+))?+")
_LABEL = whole(r"[a-z0-9_-]{1,63}+")
_FORBIDDEN = frozenset(' \xa0\\<>"`{|}^\u2028\u2029')
_HEX = frozenset("0123456789abcdefABCDEF")
_RESERVED = "%/?#[]@!$&'()*+,;=:~"


class LinkKind(StrEnum):
    CLICK = "click"
    VIEW = "view"


PATHS = {LinkKind.CLICK: "/c/", LinkKind.VIEW: "/v/"}


class BadLinkError(ValueError):
    """Cannot be made into a link; `field` is `target` or `mailing`."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class MailingLink(msgspec.Struct, array_like=True, frozen=True):
    """What a token says: which link of which mailing it is, and where it leads."""

    kind: LinkKind
    platform: int
    target: str
    mailing: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(MailingLink).decode


def make_link(tokens: TokenSigner, edge_url: str, platform: int, kind: LinkKind, target: str, mailing: str) -> str:
    """The address to put into the mailing, without the reader's id. Raises BadLinkError."""
    if len(mailing) > MAX_MAILING or has_control(mailing) or has_surrogate(mailing):
        raise BadLinkError("mailing", f"must have at most {MAX_MAILING} characters, none of them a control character")
    link = MailingLink(kind, platform, clean_target(target), mailing)
    return f"{edge_url}{PATHS[kind]}{tokens.sign(_encode(link)).decode()}"


def read_link(tokens: TokenSigner, token: str) -> MailingLink | None:
    """Returns None for a token that this installation did not sign."""
    content = tokens.open(token)
    return None if content is None else _decode(content)


def clean_target(target: str) -> str:
    """The target in the one spelling that everybody reads alike: ASCII, its host in lower case. Raises BadLinkError."""
    if len(target) > MAX_TARGET:
        raise BadLinkError("target", f"must have at most {MAX_TARGET} characters")
    if not _FORBIDDEN.isdisjoint(target) or has_control(target) or has_surrogate(target) or _has_stray_percent(target):
        raise BadLinkError("target", "must be percent-encoded: no blanks, backslashes, quotes, brackets or stray %")
    parts = _ADDRESS(target)
    if parts is None:
        raise BadLinkError("target", "must be a whole address that begins with https:// or http://")
    rest = quote(parts["rest"] or "/", safe=_RESERVED)
    cleaned = f"{parts['scheme'].lower()}://{_authority(parts['authority'])}{rest}"
    if len(cleaned) > MAX_TARGET:
        raise BadLinkError("target", f"must have at most {MAX_TARGET} characters")
    return cleaned


def _authority(text: str) -> str:
    if "@" in text:
        raise BadLinkError("target", "must not hold a user name or password")
    parts = _AUTHORITY(text)
    if parts is None or int(parts["port"] or 0) >= 2**16:
        raise BadLinkError("target", "must name a host, and after a colon a port")
    return _host(parts["host"]) + (f":{parts['port']}" if parts["port"] else "")


def _host(text: str) -> str:
    if text.startswith("["):
        return text.lower()
    if len(text) > MAX_HOST:
        raise BadLinkError("target", f"must name a host of at most {MAX_HOST} characters")
    try:
        host = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode()
    except idna.IDNAError:
        host = ""
    if not all(map(_is_label, host.removesuffix(".").split("."))):
        raise BadLinkError("target", "must name a host")
    return host


def _is_label(text: str) -> bool:
    return _LABEL(text) is not None and not text.startswith("-") and not text.endswith("-")


def _has_stray_percent(text: str) -> bool:
    return any(len(after) < 2 or not _HEX.issuperset(after[:2]) for after in text.split("%")[1:])
