"""What buckets tell each other about users: inbox rows of links, merges, erasures and conversions.

Times are unix milliseconds. User ids are text.
"""

from datetime import datetime
from typing import Any

import msgspec


class MergeCause(msgspec.Struct, omit_defaults=True):
    """Why two users are taken for one: the id that both were seen with, and the pixel that saw it (0: none)."""

    kind: str
    value: str
    pixel: int = 0


class LinkIdentity(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`Kind.LINK`, to the bucket of an id's value: this id was seen with this user.

    `key` is the customer's own id of the user, `ids` the number of ids that the user has. `at`: when the browser was
    seen with the id; 0 if it is not known.
    """

    customer: int
    kind: str
    value: str
    user: str
    created_at: int
    key: str | None = None
    ids: int = 0
    pixel: int = 0
    at: int = 0


class Meet(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`Kind.MEET`, to the bucket of `user`: `other` is the same person.

    `named`: the id by which the two met named `user`, or was the id of `user`; no answer to such a message. The other
    fields say what was known of `other` when the message was sent.
    """

    customer: int
    user: str
    other: str
    other_created_at: int
    cause: MergeCause
    other_key: str | None = None
    other_ids: int = 0
    named: bool = False


class Merge(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`Kind.MERGE`, to the bucket of `loser`: merge into `winner`, which has made room for the loser's ids."""

    customer: int
    loser: str
    winner: str
    winner_created_at: int
    cause: MergeCause
    winner_key: str | None = None
    winner_ids: int = 0


class Content(msgspec.Struct, kw_only=True):
    """`Kind.CONTENT`, to the bucket of `winner`: everything that `loser` held, except its mappings.

    Mappings are handed over by the buckets of their platform ids, which know the owners. `at`: when the loser gave
    its content up. `accepted`: the earliest moment at which something in it may have been accepted. `lists`: by static
    audience, whether the user is on its list, and when that was said.
    """

    customer: int
    winner: str
    loser: str
    attributes: dict[str, Any]
    dimensions: dict[str, Any] = {}
    times: dict[str, Any]
    activity: dict[str, Any] = {}
    ids: list[tuple[str, str]] = []
    confirmed: bool = False
    opted_out: bool = False
    cause: MergeCause
    at: int
    accepted: int | None = None
    lists: list[tuple[int, bool, datetime]] = []


class Erase(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`Kind.ERASE`, to the bucket of `user`: erase the user with all ids. Rows accepted up to `at` are dropped.

    `erasure`: the erasure whose proof notes the outcome; the zero id if nobody asked, because the user was not seen
    for too long. `platform_ids`: (platform, id)s that the user had once.

    `along`: nobody named this user, but it is the same person as one that is erased: `origin`, whose customer's user id
    has the hash `key_hash` (empty: has none) and who has so many `ids`. `by`: the id that both have, where that is all
    that is known; the user's bucket then judges whether the two are one, as it does for a merge. `trail`: merged
    profiles that led from the id to this user.
    """

    customer: int
    user: str
    at: int
    erasure: str
    platform_ids: list[tuple[int, str]] = []
    along: bool = False
    origin: str = ""
    key_hash: str = ""
    ids: int = 1
    by: tuple[str, str] | None = None
    trail: list[str] = []


class EraseId(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`Kind.ERASE_ID`, to the bucket of an id's value: if one of `users` owns the id, it names nobody from now on.

    `users` are one person, `key_hash` and `ids` as in `Erase`. `named`: a match that was accepted when this row was
    says that the platform's id is the person's, whosever it was until then.
    """

    customer: int
    kind: str
    value: str
    users: list[str]
    at: int
    erasure: str
    key_hash: str = ""
    ids: int = 1
    named: bool = False


class LogOut(msgspec.Struct, kw_only=True):
    """`Kind.LOG_OUT`, to the bucket of browsers: the customer's user `key` is erased, whose logins up to `at` go."""

    customer: int
    key: str
    at: int


class JudgeId(msgspec.Struct, kw_only=True):
    """`Kind.JUDGE_ID`, to the bucket of a suspect id's value: a person says that it is one person's, or nobody's."""

    customer: int
    kind: str
    value: str
    good: bool


class DropId(msgspec.Struct, kw_only=True):
    """`Kind.DROP_ID`, to the bucket of `user`: this id names nobody, so it is not the user's either."""

    customer: int
    kind: str
    value: str
    user: str


class ForgetSharedId(msgspec.Struct, kw_only=True):
    """`Kind.FORGET_SHARED_ID`, to the bucket of users for whom this id was set aside: it is an erased user's."""

    customer: int
    kind: str
    value: str


class Convert(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`Kind.CONVERT`, to every bucket: convert its profiles' values to the present types of the attributes.

    `after`: the user id after which to go on; None: from the first.
    """

    customer: int
    after: str | None = None


class Respell(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`Kind.RESPELL`, to every bucket: ids that were stored in another spelling name their users in the one spelling.

    `after`: the user id after which to go on; None: from the first.
    """

    customer: int
    after: str | None = None


encode = msgspec.json.Encoder().encode
