"""What buckets tell each other about who is who. Times are unix milliseconds."""

from typing import Any

import msgspec


class Cause(msgspec.Struct, omit_defaults=True):
    """How two came to meet: the id that both were seen with, and the pixel that saw it (0: none)."""

    kind: str
    value: str
    pixel: int = 0


class Link(msgspec.Struct, omit_defaults=True):
    """To the bucket of an id's value: this id was seen with this user.

    `key` is the customer's own id of the user, `ids` how many ids the user has.
    """

    customer: int
    kind: str
    value: str
    user: str
    created_at: int
    key: str | None = None
    ids: int = 0
    pixel: int = 0


class Meet(msgspec.Struct, omit_defaults=True):
    """To the bucket of `user`: `other`, of whom this was known when it was sent, is the same person."""

    customer: int
    user: str
    other: str
    other_created_at: int
    cause: Cause
    other_key: str | None = None
    other_ids: int = 0


class Merge(msgspec.Struct, omit_defaults=True):
    """To the bucket of `loser`: give yourself up to `winner`, who has made room for you."""

    customer: int
    loser: str
    winner: str
    winner_created_at: int
    cause: Cause
    winner_key: str | None = None
    winner_ids: int = 0


class Content(msgspec.Struct):
    """To the bucket of `winner`: everything that `loser` held, but its mappings.

    Those are handed over by the buckets of their ids, which know the owners. `at`: when it was given up.
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
    opted_out: bool
    cause: Cause
    at: int


class Erase(msgspec.Struct, omit_defaults=True):
    """To the bucket of `user`: forget the user, with all ids. `at`: unix ms; rows accepted up to then are dropped.

    `erasure`: whose proof notes what becomes of it (none: the user was not seen for too long). `platform_ids`: ids
    (platform, id) that were the user's once. `along`: the id of a merged profile, erased with the survivor.
    """

    customer: int
    user: str
    at: int
    erasure: str
    platform_ids: list[tuple[int, str]] = []
    along: bool = False


class EraseId(msgspec.Struct, omit_defaults=True):
    """To the bucket of an id's value: it names nobody any more, if it was one of `users`'."""

    customer: int
    kind: str
    value: str
    users: list[str]
    at: int
    erasure: str


class Convert(msgspec.Struct, omit_defaults=True):
    """To every bucket: bring what its profiles hold, from the one after `after` on, to the types of attributes."""

    customer: int
    after: str | None = None


encode = msgspec.json.Encoder().encode
decode_link = msgspec.json.Decoder(Link).decode
decode_meet = msgspec.json.Decoder(Meet).decode
decode_merge = msgspec.json.Decoder(Merge).decode
decode_convert = msgspec.json.Decoder(Convert).decode
decode_content = msgspec.json.Decoder(Content).decode
decode_erase = msgspec.json.Decoder(Erase).decode
decode_erase_id = msgspec.json.Decoder(EraseId).decode
