"""Messages of activation between buckets.

A bucket of users sends a `Want` to the bucket of a platform id; a new activation sends a `BackfillRequest` to every
bucket of users. What is done to many deliveries goes to every bucket of ids as a command that does a page of the bucket
and sends the next one. `after`: the last id (or dead letter) of the page before.
"""

from uuid import UUID

import msgspec


class Want(msgspec.Struct, omit_defaults=True):
    """To the bucket of the platform's id: whether the id should be in the activation's segment.

    Of two wants for one id the one with the later (`epoch`, `version`) holds: owners first, then the
    version of the owner's membership. `only_known`: it is the first want of a new owner, and nothing is wanted: it
    changes a delivery that is there and makes none.
    """

    customer: int
    activation: int
    platform: int
    platform_user_id: str
    user: UUID
    epoch: int
    version: int
    wanted: bool
    only_known: bool = False


class BackfillRequest(msgspec.Struct, omit_defaults=True):
    """To a bucket of users: want every mapped member after user `after` for this activation."""

    activation: int
    after: str | None = None


class ResyncDeliveries(msgspec.Struct, omit_defaults=True):
    """To a bucket of platform ids: send every id of this activation again. `removals_sent`: also those to remove."""

    activation: int
    platform: int
    removals_sent: bool
    after: str = ""


class WithdrawDeliveries(msgspec.Struct, omit_defaults=True):
    """To a bucket of platform ids: the activation ends, so no id is wanted any more."""

    activation: int
    platform: int
    removals_sent: bool
    after: str = ""


class ReplayLetters(msgspec.Struct, omit_defaults=True):
    """To a bucket: send the ids of these dead letters again. Which ones, the `LetterReplay` says."""

    replay: int
    after: tuple[int, str] = (0, "")
