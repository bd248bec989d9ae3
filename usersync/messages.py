"""Messages between the bucket of a platform's id and the bucket of its owner. Times are unix milliseconds."""

from typing import Any

import msgspec


class Mapped(msgspec.Struct, omit_defaults=True):
    """To the bucket of `user`: the platform's id is yours, as its `epoch`-th owner.

    `inherited`: from another owner; what was wanted for the id stands until you say. `resolved`, `introduced` and `way`
    are as of a `Sync`, `accepted` as of a `HandOver`. `via`: the user who was merged into this one, if the match
    came to that user. `unconfirmed`: the match says nothing of whether there is a browser that keeps the user's id.
    """

    customer: int
    platform: int
    platform_user_id: str
    user: str
    epoch: int
    synced_at: int
    expires_at: int | None = None
    extra: dict[str, Any] = {}
    inherited: bool = False
    resolved: bool = False
    introduced: bool = False
    accepted: int | None = None
    via: str = ""
    way: tuple[str, str, str] | None = None
    unconfirmed: bool = False


class Unmapped(msgspec.Struct, omit_defaults=True):
    """To the bucket of `user`: the platform's id is no longer yours; `epoch` is the last you held it in.

    `given_up`: it was given up, or erased, by what was accepted when this row says; else another has it. Where you have
    it from what was accepted later, say so again.
    """

    customer: int
    platform: int
    platform_user_id: str
    user: str
    epoch: int
    given_up: bool = False


class Release(msgspec.Struct):
    """To the bucket of the platform's id: `user` gave it up."""

    customer: int
    platform: int
    platform_user_id: str
    user: str


class HandOver(msgspec.Struct):
    """To the bucket of the platform's id: `user` was merged into `winner`, who owns it from now on.

    `accepted`: the earliest moment at which the match may have been accepted.
    """

    customer: int
    platform: int
    platform_user_id: str
    user: str
    winner: str
    synced_at: int
    expires_at: int | None
    extra: dict[str, Any]
    accepted: int | None = None


class ForgetPlatform(msgspec.Struct, omit_defaults=True):
    """To every bucket: the platform is deleted, so whom it knew is forgotten. `after`: the user after whom to go on."""

    customer: int
    platform: int
    after: str | None = None


encode = msgspec.json.Encoder().encode
