"""What buckets tell each other about who is who. Times are unix milliseconds."""

from typing import Any

import msgspec


class Link(msgspec.Struct, omit_defaults=True):
    """To the bucket of an id's value: this id was seen with this user, whose customer's own id is `key`."""

    customer: int
    kind: str
    value: str
    user: str
    created_at: int
    key: str | None = None


class Meet(msgspec.Struct):
    """To the bucket of `user`: the older `other` (or the younger) is the same person."""

    customer: int
    user: str
    other: str
    other_created_at: int
    other_key: str | None = None


class Merge(msgspec.Struct):
    """To the bucket of `loser`: give yourself up to `winner`."""

    customer: int
    loser: str
    winner: str
    winner_created_at: int
    winner_key: str | None = None


class Content(msgspec.Struct):
    """To the bucket of `winner`: everything that `loser` held, but its mappings.

    Those are handed over by the buckets of their ids, which know the owners.
    """

    customer: int
    winner: str
    loser: str
    attributes: dict[str, Any]
    dimensions: dict[str, Any]
    times: dict[str, Any]
    activity: dict[str, Any]
    ids: list[tuple[str, str]]
    confirmed: bool
    opted_out: bool = False


encode = msgspec.json.Encoder().encode
decode_link = msgspec.json.Decoder(Link).decode
decode_meet = msgspec.json.Decoder(Meet).decode
decode_merge = msgspec.json.Decoder(Merge).decode
decode_content = msgspec.json.Decoder(Content).decode
