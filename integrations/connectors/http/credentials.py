"""How a generic HTTP platform knows that it is us."""

from dataclasses import replace

import msgspec

from integrations.http import Request


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


class Query(msgspec.Struct, tag_field="type", tag="query", forbid_unknown_fields=True):
    """A key in a parameter of the platform's choice."""

    name: str
    value: str


Credentials = NoAuthentication | Basic | Bearer | Header | Query


def sign(request: Request, credentials: Credentials) -> Request:
    """The request with what proves who sends it."""
    match credentials:
        case Basic(username=username, password=password):
            return replace(request, basic=(username, password))
        case Bearer(token=token):
            return replace(request, secret_headers={"Authorization": f"Bearer {token}"})
        case Header(name=name, value=value):
            return replace(request, secret_headers={name: value})
        case Query(name=name, value=value):
            return replace(request, secret_query={name: value})
    return request
