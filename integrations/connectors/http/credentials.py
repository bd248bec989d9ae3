"""The credentials of a generic HTTP platform, and signing a request with them."""

import hashlib
import hmac
from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from integrations import header_names
from integrations.http import Request

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.\-]+$")]
Secret = Annotated[str, msgspec.Meta(min_length=1)]
Address = Annotated[str, msgspec.Meta(pattern=r"^https?://[^?#]+")]


def _check_header(name: str) -> None:
    """Raises ValueError, which says nothing of the name: a secret may have been put there by mistake."""
    if header_names.fault_of(name, is_secret=True):
        raise ValueError("names a header that the hub writes itself, or none")


class NoAuthentication(msgspec.Struct, tag_field="type", tag="none", forbid_unknown_fields=True):
    """None."""


class Basic(msgspec.Struct, tag_field="type", tag="basic", forbid_unknown_fields=True):
    """User name and password."""

    username: str
    password: str


class Bearer(msgspec.Struct, tag_field="type", tag="bearer", forbid_unknown_fields=True):
    """`Authorization: Bearer <token>`."""

    token: str


class Header(msgspec.Struct, tag_field="type", tag="header", forbid_unknown_fields=True):
    """A key in a header of the platform's choice."""

    name: str
    value: str

    def __post_init__(self) -> None:
        _check_header(self.name)


class Query(msgspec.Struct, tag_field="type", tag="query", forbid_unknown_fields=True):
    """A key in a parameter of the platform's choice."""

    name: str
    value: str


class Hmac(msgspec.Struct, tag_field="type", tag="hmac", forbid_unknown_fields=True):
    """The body's HMAC under a shared secret, in lower-case hex, in a header; of a request without body, of nothing."""

    header: Name
    secret: Secret
    algorithm: Literal["sha1", "sha256", "sha512"] = "sha256"

    def __post_init__(self) -> None:
        _check_header(self.header)


class OAuth2(msgspec.Struct, tag_field="type", tag="oauth2", forbid_unknown_fields=True):
    """Client credentials: tokens are fetched when they are needed, and anew when they have run out.

    `client_auth`: how the secret is sent to the token endpoint; auto: as the endpoint takes it.
    """

    token_url: Address
    client_id: Secret
    client_secret: Secret
    scope: str = ""
    client_auth: Literal["auto", "basic", "body"] = "auto"


Credentials = NoAuthentication | Basic | Bearer | Header | Query | Hmac | OAuth2


def sign(request: Request, credentials: Credentials) -> Request:
    """Return the request with its authentication. A token of `OAuth2` is added when the request is sent."""
    match credentials:
        case Basic(username=username, password=password):
            return replace(request, basic=(username, password))
        case Bearer(token=token):
            return replace(request, secret_headers={"Authorization": f"Bearer {token}"})
        case Header(name=name, value=value):
            return replace(request, secret_headers={name: value})
        case Query(name=name, value=value):
            return replace(request, secret_query={name: value})
        case Hmac(header=header, secret=secret, algorithm=algorithm):
            digest = hmac.new(secret.encode(), request.body or b"", getattr(hashlib, algorithm)).hexdigest()
            return replace(request, secret_headers={header: digest})
    return request
