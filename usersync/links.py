"""Links for mailings: they lead through the hub, so that the reader who follows one is matched. No Django here.

The signed token names platform, mailing and target, and is made once per mailing; the mailing system fills in
who its reader is. A target is what a browser may be sent to, and nothing that reads as one address to us and
as another to a browser.
"""

import re
from enum import StrEnum
from urllib.parse import quote

import idna
import msgspec

from core.keys import TokenSigner

PURPOSE = "links"
"""What the secrets of the tokens are derived for."""

MAX_TARGET = 2000
MAX_MAILING = 200

_ADDRESS = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]+)(?P<rest>[/?#].*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::(?P<port>[0-9]{1,5}))?")
_LABELS = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\<>\"`{|}^\u2028\u2029\ud800-\udfff]")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
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
    if len(mailing) > MAX_MAILING or _CONTROL.search(mailing):
        raise BadLinkError("mailing", f"must have at most {MAX_MAILING} characters, none of them a control character")
    link = MailingLink(kind, platform, clean_target(target), mailing)
    return f"{edge_url}{PATHS[kind]}{tokens.sign(_encode(link)).decode()}"


def read_link(tokens: TokenSigner, token: str) -> MailingLink | None:
    """Returns None for a token that this installation did not sign."""
    content = tokens.open(token)
    return None if content is None else _decode(content)


def clean_target(target: str) -> str:
    """The target in the one spelling that everybody reads alike: ASCII, its host in lower case. Raises BadLinkError."""
    if _FORBIDDEN.search(target) or _STRAY_PERCENT.search(target):
        raise BadLinkError("target", "must be percent-encoded: no blanks, backslashes, quotes, brackets or stray %")
    parts = _ADDRESS.fullmatch(target)
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
    parts = _AUTHORITY.fullmatch(text)
    if parts is None or int(parts["port"] or 0) >= 2**16:
        raise BadLinkError("target", "must name a host, and after a colon a port")
    return _host(parts["host"]) + (f":{parts['port']}" if parts["port"] else "")


def _host(text: str) -> str:
    if text.startswith("["):
        return text.lower()
    try:
        host = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode()
    except idna.IDNAError:
        host = ""
    if not _LABELS.fullmatch(host):
        raise BadLinkError("target", "must name a host")
    return host
