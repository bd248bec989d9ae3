"""Requests to the edge that no honest client sends, drawn by chance: addresses, header fields, bodies.

Many begin well (a pixel that exists, a right token, a genuine signature), so that what is odd gets beyond the first
check.
"""

import gzip
import hashlib
import json
import random
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import quote, quote_from_bytes

from core.query import pairs
from usersync.authentication import sign, string_to_sign

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
PERSON = "zz.planted.person@example.org"
CARD = "4111111111111111"

PATHS = (
    *("/dp", "/dp", "/dp", "/dp", "/dp/batch", "/dp/batch", "/uid", "/uid", "/uid", "/sync", "/sync.js", "/opt-out"),
    *("/opt-in", "/c/", "/v/", "/healthz", "/readyz", "/metrics"),
)
ODD_PATHS = (
    *("/", "*", "//dp", "/dp/", "/%64p", "/dp%00", "/../uid", "/dp/../metrics", "/%ff%fe", "/c/%2e%2e/", "/DP"),
    *("http://edge/dp", "https://user:word@edge:1/uid", "/dp;x=1", "/c/" + "A" * 3_000, "/v/a.b.c", "/" + "a/" * 500),
)
METHODS = ("GET", "GET", "GET", "POST", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get")
VALUES = (
    *("", "0", "-1", "null", "\0", "é", "[[USERID]]", "$UID", "9" * 300, "1e400", USER, USER.upper(), "gif", "js", "1"),
    *("{}", "[", "\r\n", "a\r\nSet-Cookie: x=y", "<script>", "' OR 1=1--", "../../etc/passwd", "\u202e", "\ufeff", " "),
    *(
        PERSON,
        CARD,
        "\uff12\uff10\uff12\uff14",
        "a" * 257,
        "{{user_id}}",
        "${jndi:ldap://x}",
        "NaN",
        "true",
        "0x10",
        "٣",
        "1;2",
        "%00",
    ),
)
NAMES = (
    *("m", "id", "t", "data", "uuid", "at", "bdt", "btzo", "_ck", "_nr", "_check", "pl", "euid", "devid_g", "devid_a"),
    *("idsha1", "idmd5", "_geo_c", "_devt", "cpid", "it", "userid", "plsec", "plcsec", "ts", "sig", "alg", "dc", "ttl"),
    *("gdpr", "gdpr_consent", "us_privacy", "gpp", "gpp_sid", "body_sha256", "event", "event_id", "u", "lat", "x", ""),
)
BAD_UTF8 = (
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xff\xfe",
    b"\xe2\x82",
    b"\x80",
    b"\xf4\x90\x80\x80",
)
SCALARS: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308, 0.1, "", "\0", "\ud800", "é", PERSON, CARD),
    *([], {}, "x" * 5_000, USER, "2024-02-30T25:61:61Z", "+49 151 23456789", "DE89370400440532013000"),
)
KEYS = ("UserId", "Account", "a", "", "a.b", "..", "\0", "\ud800", "é", "__proto__", "x" * 600, "email", "amount", " ")
FIELDS = (
    *("Sec-GPC: 1", "DNT: 1", "Accept-Encoding: gzip", "Expect: 100-continue", "Expect: 200-ok", "Upgrade: h2c"),
    *(
        "X-Forwarded-For: 10.0.0.1, é",
        "X-Forwarded-For: " + "1.2.3.4, " * 500,
        'Forwarded: for="[::1]"',
        "Te: trailers",
    ),
    *(
        "Connection: keep-alive",
        "Connection: close, x",
        "Connection: upgrade",
        "Range: bytes=0-1",
        "X-HTTP-Method: PUT",
    ),
    *("Authorization: Bearer", "Authorization: Bearer \xff", "Authorization: Basic Og==", "Content-Type: text/\0plain"),
    *("Origin: null", "Sec-Fetch-Dest: image", "Sec-Purpose: prefetch", "Content-Type: application/json", "A:"),
)
COOKIES = (
    *("", "=", ";;;=", "dmpuid", "dmpuid=", "dmpuid=x; a=b", f"dmpuid={USER}", f"a=b;dmpuid={USER}", "dmpopt=1"),
    *(f"dmpuid={USER}; dmpuid={USER[::-1]}", f'dmpuid="{USER}"', "dmpuid=" + "a" * 8_000, f"DMPUID={USER}", "dmpopt=2"),
    *(
        "dmpsync=1",
        "dmpsync=1.1-00000000",
        "dmpsync=1_1-1-ffffffff",
        "dmpsync=1" + ".1-0" * 900,
        "a=b; " * 900,
        "\xff=",
    ),
    *(f"dmpuid={USER}; dmpsync=1.1-66000000_1-4-66000000", "dmpuid=\xc0\xaf", "dmpuid=%30", f"dmpuid={{{USER}}}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeTargets:
    """What of a hub's configuration the requests may name."""

    customer: int
    pixel: int
    signed_pixel: int
    signing_secret: str
    refusing: tuple[int, int]
    """A customer that refuses personal data, and its pixel."""
    token_platform: int
    token: str
    signed_platform: int
    sync_secret: str
    keys: Sequence[str]
    links: Sequence[str] = ()
    """Signed addresses of mailings, from the slash on."""


@dataclass(frozen=True, slots=True)
class OddRequest:
    """`fields`: whole lines, without the host and what frames the body."""

    method: str
    target: bytes
    fields: tuple[bytes, ...] = ()
    body: bytes = b""

    def head(self, *more: bytes) -> bytes:
        lines = (b"%b %b HTTP/1.1" % (self.method.encode(), self.target), b"Host: edge", *more, *self.fields)
        return b"\r\n".join(lines) + b"\r\n\r\n"

    @property
    def wire(self) -> bytes:
        """As HTTP has it."""
        return self.head(b"Content-Length: %d" % len(self.body)) + self.body if self.body else self.head()


class RequestDrawer:
    def __init__(self, targets: EdgeTargets, chance: random.Random) -> None:
        self._targets, self._chance = targets, chance

    def request(self) -> OddRequest:
        chance = self._chance
        path = chance.choice(PATHS) if chance.random() < 0.9 else chance.choice(ODD_PATHS)
        if path in {"/c/", "/v/"} and self._targets.links and chance.random() < 0.7:
            path = chance.choice(self._targets.links)
        posts = path == "/dp/batch" or (path == "/dp" and chance.random() < 0.4)
        method = chance.choice(METHODS) if chance.random() < 0.2 else ("POST" if posts else "GET")
        fields = self._fields(path)
        body = b""
        if method in {"POST", "PUT", "PATCH"} or chance.random() < 0.03:
            body, packed = self._packed(self.batch() if path == "/dp/batch" else self.document())
            fields += packed
        return OddRequest(method, self._target(method, path, body), tuple(fields), body)

    def plain(self) -> OddRequest:
        """One that is in order, and has exactly one answer."""
        known = self._targets
        page_view = f"/dp?m={known.customer}&id={known.pixel}&uuid={USER}"
        sync = f"/uid?pl={known.token_platform}&plsec={known.token}&userid=abc"
        target = self._chance.choice(("/healthz", page_view, sync, "/nowhere")).encode()
        return OddRequest("GET", target, (b"Cookie: dmpuid=" + USER.encode(),))

    def document(self) -> bytes:
        """The data of one event, or what is sent in its place."""
        chance = self._chance
        match chance.randrange(8):
            case 0:
                return chance.randbytes(chance.randrange(200))
            case 1:
                return chance.choice(
                    (b"[" * 5_000, b'{"a":' * 40 + b"1" + b"}" * 40, b'{"a":NaN}', b"{}", b"nul", b"\x00")
                )
            case 2:
                return b'{"a":"' + chance.choice(BAD_UTF8) + b'","a":1}'
            case _:
                return json.dumps(self._value(3), ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")

    def batch(self) -> bytes:
        """Lines for `/dp/batch`."""
        return b"\n".join(self._line() for _ in range(self._chance.randrange(30)))

    def _line(self) -> bytes:
        chance = self._chance
        if chance.random() < 0.3:
            return self.document()
        line: dict[str, Any] = {
            chance.choice(("uuid", "user", "euid", "devid_g")): chance.choice((USER, "anna", PERSON))
        }
        line |= {name: chance.choice((*VALUES, *SCALARS)) for name in chance.sample(NAMES, chance.randrange(4))}
        return json.dumps(line | {"data": self._value(2)}).encode()

    def _value(self, depth: int) -> Any:
        chance = self._chance
        kind = chance.random()
        if depth == 0 or kind < 0.3:
            return chance.choice(SCALARS)
        if kind < 0.4:
            return [self._value(depth - 1) for _ in range(chance.randrange(4))]
        return {chance.choice(KEYS): self._value(depth - 1) for _ in range(chance.randrange(6))}

    def _packed(self, body: bytes) -> tuple[bytes, list[bytes]]:
        chance = self._chance
        if chance.random() < 0.6:
            return body, []
        if chance.random() < 0.15:
            other = chance.choice((b"br", b"gzip, gzip", b"GZIP", b"", b"\xff", b"zstd"))
            return body, [b"Content-Encoding: " + other]
        packed = gzip.compress(body)
        wrong = (
            bomb(chance.choice((1, 4, 32))),
            packed[: chance.randrange(len(packed))],
            gzip.compress(packed) + packed * 120,
            packed + chance.randbytes(20),
            zlib.compress(body),
            packed,
        )
        return chance.choice(wrong), [b"Content-Encoding: " + chance.choice((b"gzip", b"x-gzip"))]

    def _target(self, method: str, path: str, body: bytes) -> bytes:
        chance, known = self._chance, self._targets
        query = self._query()
        route = path.partition("?")[0]
        if route in {"/dp", "/dp/batch", "/sync", "/sync.js"}:
            m, pixel = known.refusing if chance.random() < 0.1 else (known.customer, known.pixel)
            query = b"m=%d&id=%d&" % (m, pixel) + query
            if route == "/dp" and chance.random() < 0.2:
                query = self._signed(
                    method, path, f"m={known.customer}&id={known.signed_pixel}", known.signing_secret, body
                )
        elif route == "/uid" and chance.random() < 0.4:
            query = self._signed(method, path, f"pl={known.signed_platform}", known.sync_secret, b"")
        elif route == "/uid" and chance.random() < 0.9:
            query = f"pl={known.token_platform}&plsec={known.token}&userid={chance.randrange(50)}&".encode() + query
        return path.encode() + (b"&" if "?" in path else b"?") + query

    def _signed(self, method: str, path: str, start: str, secret: str, body: bytes) -> bytes:
        """A query with a genuine signature, unless something in it cannot be signed."""
        digest = f"&body_sha256={hashlib.sha256(body).hexdigest()}" if body else ""
        raw = f"{start}&ts={int(time.time())}{digest}&".encode() + self._query()
        given = [(name, value) for name, value in pairs(raw) if name is not None and value is not None]
        return raw.rstrip(b"&") + b"&sig=" + sign(secret, string_to_sign(method, path, given)).encode()

    def _query(self) -> bytes:
        chance = self._chance
        if chance.random() < 0.04:
            return chance.choice(
                (b"&" * 2_000, b"a" * 60_000, b"x=1&" * 5_000, b"%" * 900, b"=&" * 900, b"data=" + b"[" * 9_000)
            )
        return b"&".join(self._pair() for _ in range(chance.randrange(7)))

    def _pair(self) -> bytes:
        chance = self._chance
        name = (
            quote(chance.choice(NAMES)).encode()
            if chance.random() < 0.9
            else quote_from_bytes(chance.randbytes(3)).encode()
        )
        match chance.randrange(8):
            case 0:
                value = quote_from_bytes(chance.choice(BAD_UTF8)).encode()
            case 1:
                value = bytes(chance.choice(b"%&=+;?/\\\"'<>{}[]$.,~!^`|") for _ in range(chance.randrange(7)))
            case 2:
                value = quote_from_bytes(self.document()[:2_000]).encode()
            case 3:
                value = chance.choice(BAD_UTF8)
            case _:
                value = quote(chance.choice(VALUES), safe="").encode()
        return name + (b"=" if chance.random() < 0.97 else b"") + value

    def _fields(self, path: str) -> list[bytes]:
        chance = self._chance
        found = [one.encode("latin-1") for one in chance.sample(FIELDS, chance.choice((0, 0, 0, 1, 3)))]
        if chance.random() < 0.5:
            found.append(b"Cookie: " + chance.choice(COOKIES).encode("latin-1"))
        if path == "/dp/batch" and chance.random() < 0.9:
            found.append(f"Authorization: Bearer {chance.choice(self._targets.keys)}".encode())
        return found


@cache
def bomb(megabytes: int) -> bytes:
    """So much of nothing, packed to a thousandth."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(megabytes)) + packer.flush()
