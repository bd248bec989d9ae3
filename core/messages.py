"""The content of inbox rows that come from requests: written by the edge, imports and the API, read by absorb.

A field may be added with a default, but never renamed or removed: rows that wait were written by older code.

Times are unix milliseconds. An id is a pair of kind and value, with the kinds of `profiles.models.Identity`:
`user` (the customer's own user id), `euid:<pl>`, `device:<parameter>`; and `cookie`, one of our own user ids
that came beside another.
"""

from typing import Any

import msgspec

from core.ids.left_out import LeftOut

Id = tuple[str, str]


class Listing(msgspec.Struct, omit_defaults=True):
    """Part of an event: its user is on the list of a static audience, or (`listed` false) is not any more.

    `change`: the change of the list in which that is counted. `known`: the event must not make a user.
    """

    audience: int
    change: int
    listed: bool = True
    known: bool = False


class Event(msgspec.Struct, omit_defaults=True):
    """`inbox.query` of an `InboxKind.EVENT`; `inbox.body` holds the raw `data`, or nothing.

    `user` is our own user id, where the request carried one or was given a new one; it decides the row's
    bucket, else the first of `ids` does. `confirmed`: the id is known to stick (the browser brought it
    back, or the caller named it). `counted`: it is no behaviour to be counted: a row of an import, or one of
    whose data a part could not be used; the rest was, and is not counted again when the row is replayed.
    `forwarded`: on its way between buckets, where `user` is a profile and not the browser any more that sent it. `via`:
    what led there, in order: users who were merged; an empty text for the first of `ids`. `browser`: whose login is the
    only reason that the customer's user is among `ids`. `nobody`: ids that were left out, since they name nobody.
    `mover`: the browser that has moved to the user of the first of `ids`, who is not the one it belonged to.
    `listing`: what a list of users says of the user. `seen`: when the user was last seen at the pixel (unix ms), as an
    import knows it; it is not counted.
    """

    customer: int
    pixel: int
    at: int
    user: str | None = None
    confirmed: bool = False
    ids: list[Id] = []
    dimensions: dict[str, Any] = {}
    counted: bool = False
    forwarded: bool = False
    via: list[str] = []
    browser: str = ""
    nobody: list[LeftOut] = []
    mover: str = ""
    listing: Listing | None = None
    seen: int = 0


class Confirm(msgspec.Struct, omit_defaults=True):
    """`inbox.query` of an `InboxKind.CONFIRM`, in the bucket of `user`: the browser kept the id it was given.

    `ids` are the ids that the first request named, and under which its data was kept. `forwarded` and `via` are as of
    an event.
    """

    customer: int
    user: str
    at: int
    ids: list[Id] = []
    forwarded: bool = False
    via: list[str] = []


class Sync(msgspec.Struct, omit_defaults=True):
    """`inbox.query` of an `InboxKind.SYNC`: in the bucket of `platform_user_id`, or of `user` where that is empty.

    An empty `platform_user_id` removes the user's mapping on the platform. `resolved`: `user` is the profile that
    is meant, not a browser that may belong to another by now. `introduced`: nobody sent it, the hub itself says that a
    user is known by the hub's own id; it must not make a user. `way`: kind and value of the id that led to `user`,
    and the browser of a `Match`. `unconfirmed`: the id was given to the browser with this answer, so nobody knows
    whether there is one that keeps it. The same is the content of an `InboxKind.CLAIM`.
    """

    customer: int
    platform: int
    user: str
    platform_user_id: str
    at: int
    ttl_days: int | None = None
    extra: dict[str, str] = {}
    resolved: bool = False
    introduced: bool = False
    way: tuple[str, str, str] | None = None
    unconfirmed: bool = False


class Match(msgspec.Struct, omit_defaults=True):
    """`inbox.query` of an `InboxKind.MATCH`, in the bucket of the value of `id`: a platform's id of that user.

    `browser`: it is the platform's id of this browser, with which the user of `id` is logged in.
    """

    customer: int
    platform: int
    platform_user_id: str
    id: Id
    at: int
    ttl_days: int | None = None
    extra: dict[str, str] = {}
    browser: str = ""


class OptOutChoice(msgspec.Struct):
    """`inbox.query` of an `InboxKind.OPT_OUT` or `InboxKind.OPT_IN`, in the bucket of `user`; for every customer."""

    user: str
    at: int


class KeyUsed(msgspec.Struct):
    """`inbox.query` of an `InboxKind.KEY_USED`, in the bucket of the value of `prefix`.

    `refused`: because the key may not be used from the address. `at`: unix milliseconds.
    """

    prefix: str
    address: str
    at: int
    refused: bool = False


encode = msgspec.json.Encoder().encode
