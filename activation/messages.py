"""What the buckets of users tell the buckets of platform ids."""

import msgspec


class Want(msgspec.Struct):
    """To the bucket of the platform's id: whether it should be in the activation's segment.

    Of two wants for one id the one with the later (`epoch`, `version`) holds: owners first, then the
    version of the owner's membership.
    """

    customer: int
    activation: int
    platform: int
    platform_user_id: str
    user: str
    epoch: int
    version: int
    wanted: bool


class Backfill(msgspec.Struct, omit_defaults=True):
    """To a bucket of users: want every mapped member after user `after` for this activation."""

    activation: int
    after: str | None = None
