"""Origins: the sites whose pages may read what a pixel answers to their scripts (CORS, Fetch § 3.3).

An entry of a pixel's list is an origin (`https://shop.example`, with a port where it is not the scheme's own), all
sites under a name (`https://*.shop.example`: at any depth, not the name itself), or `*`: any site, whose pages then
read the answer, but send no cookies.
"""

from collections.abc import Iterable

import idna

from core.patterns import whole

MOST = 50
ANY = "*"
_UNDER = "*."
_PORTS = {"https": 443, "http": 80}

_ORIGIN = whole(
    r"(?P<scheme>https?+)://(?P<host>\[[0-9a-f:.]{2,45}+\]|[^\[\]:/?#@\s\\]{1,253}+)(?::(?P<port>[0-9]{1,5}+))?+/?+"
)
_LABEL = whole(r"[a-z0-9_](?:[a-z0-9_-]{0,61}+)")
_SENT = whole(rb"[a-z0-9_.-]{1,253}+")


class BadOriginError(ValueError):
    """The text is no origin; the message says why."""


def clean_origin(text: str) -> str:
    """Returns an entry of a list as browsers write it: lower case, ASCII, no port of the scheme's own.

    Raises BadOriginError.
    """
    text = text.strip()
    if text == ANY:
        return ANY
    parts = _ORIGIN(text.lower())
    if parts is None:
        raise BadOriginError(f"{text!r} must be like https://shop.example or https://*.shop.example, without a path")
    scheme, host, port = parts["scheme"], parts["host"], int(parts["port"] or 0)
    if port > 65_535 or (parts["port"] and not port):
        raise BadOriginError(f"{text!r}: there is no such port")
    under, name = (_UNDER, host[2:]) if host.startswith(_UNDER) else ("", host)
    name = _name(name, text)
    if under and ("." not in name or name.replace(".", "").isdigit() or name.startswith("[")):
        raise BadOriginError(f"{text!r}: a * stands before a name of at least two parts")
    return f"{scheme}://{under}{name}" + (f":{port}" if port and port != _PORTS[scheme] else "")


def _name(host: str, text: str) -> str:
    if host.startswith("["):
        return host
    try:
        name = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except idna.IDNAError:
        name = ""
    if not all(_LABEL(label) and not label.endswith("-") for label in name.split(".")):
        raise BadOriginError(f"{text!r} must name a host; a * can only be the whole first part")
    return name


class Origins:
    """The origins of one pixel, as `clean_origin` has written them."""

    __slots__ = ("_exact", "_under", "is_open")

    def __init__(self, written: Iterable[str]) -> None:
        given = frozenset(one.encode() for one in written)
        self.is_open = ANY.encode() in given
        """Whether any site may read, without cookies."""
        self._exact = given - {ANY.encode()}
        self._under = [(scheme, b"." + name) for scheme, star, name in (one.partition(b"*.") for one in given) if star]

    def __bool__(self) -> bool:
        return self.is_open or bool(self._exact) or bool(self._under)

    def names(self, origin: bytes) -> bool:
        """Whether the list names this very site, or a name that it is under."""
        if b"*" in origin:
            return False
        return origin in self._exact or any(_is_under(origin, *one) for one in self._under)


def _is_under(origin: bytes, scheme: bytes, name: bytes) -> bool:
    if not (origin.startswith(scheme) and origin.endswith(name)):
        return False
    return _SENT(origin[len(scheme) : -len(name)]) is not None


NO_ORIGINS = Origins(())
