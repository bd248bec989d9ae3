"""Publishing segments to buyers at MediaMath's API: as a taxonomy, or as a single external data segment.

The document names the two. Their form is from MediaMath's public API description; their addresses are settings of the
platform, never part of an order. A request is authenticated by a token from the caller, which is used once and must
never be stored, or else by the user of the files.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from integrations.connectors.base import Segment
from integrations.errors import MisconfiguredError
from integrations.http import Request

LONGEST_NAME, LONGEST_DATA_SEGMENT_NAME = 255, 64

Token = Annotated[str, msgspec.Meta(description="of MediaMath's API, used once; without one: the user of the files")]
Id = Annotated[int, msgspec.Meta(ge=1)]
User = tuple[str, str]  # name and password


class Permissions(msgspec.Struct, forbid_unknown_fields=True):
    """Who sees the segments; everybody where all are empty."""

    advertisers: list[Id] = []
    agencies: list[Id] = []
    organizations: list[Id] = []


class Taxonomy(msgspec.Struct, forbid_unknown_fields=True):
    """All segments of the platform, as the whole of one taxonomy. With `id`, the one that exists is replaced."""

    audience_vendor_id: Id
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]
    token: Token = ""
    id: Id | None = None
    description: str = ""
    permissions: Permissions = msgspec.field(default_factory=Permissions)


class DataSegment(msgspec.Struct, forbid_unknown_fields=True):
    """One segment, always permissioned: to an advertiser or to an agency."""

    activation: Id
    provider_id: Id
    token: Token = ""
    advertiser_id: Id | None = None
    agency_id: Id | None = None


def taxonomy(url: str, order: Taxonomy, segments: Sequence[Segment], user: User, *, hashed: bool) -> Request:
    """Return the request for the whole taxonomy, which MediaMath wants each time."""
    children = [
        {"name": _name(segment.name, LONGEST_NAME), "code": str(segment.id), "buyable": True}
        for segment in sorted(segments, key=lambda segment: segment.activation)
    ]
    body = {
        "audience_vendor_id": order.audience_vendor_id,
        "permissions": msgspec.to_builtins(order.permissions),
        "taxonomy": {"name": order.name, "description": order.description, "children": children},
        "use_hash": hashed,
    }
    if order.id is not None:
        body["taxonomy"]["id"] = order.id
    return _post(url if order.id is None else f"{url}/{order.id}", body, order.token, user)


def data_segment(url: str, order: DataSegment, segments: Sequence[Segment], user: User) -> Request:
    """Return the request for a pixel bundle of type data. Its name contains the segment."""
    if (order.advertiser_id is None) == (order.agency_id is None):
        raise MisconfiguredError("an external data segment is for one advertiser_id or one agency_id")
    found = next((segment for segment in segments if segment.activation == order.activation), None)
    if found is None:
        raise MisconfiguredError(f"activation {order.activation} has no segment on this platform")
    ending = f" {found.id}"
    body: dict[str, Any] = {
        "name": _name(found.name, LONGEST_DATA_SEGMENT_NAME - len(ending)) + ending,
        "pixel_type": "data",
        "provider_id": order.provider_id,
        "eligible": True,
    }
    body |= {"advertiser_id": order.advertiser_id} if order.advertiser_id else {"agency_id": order.agency_id}
    return _post(url, body, order.token, user)


def _name(name: str, longest: int) -> str:
    return " ".join(name.split())[:longest]


def _post(url: str, body: dict[str, Any], token: str, user: User) -> Request:
    headers, raw = {"Content-Type": "application/json"}, msgspec.json.encode(body)
    if not token:
        return Request("POST", url, headers, raw, user)
    return Request("POST", url, headers, raw, secret_headers={"Authorization": f"Bearer {token}"})
