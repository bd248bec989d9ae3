"""Messages of activation between buckets.

A bucket of users sends a `Want` to the bucket of a platform id; a new activation sends a `BackfillRequest` to every
bucket of users.
"""

import msgspec


class Want(msgspec.Struct):
    """To the bucket of the platform's id: whether the id should be in the activation's segment.

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


class BackfillRequest(msgspec.Struct, omit_defaults=True):
    """To a bucket of users: want every mapped member after user `after` for this activation."""

    activation: int
    after: str | None = None
