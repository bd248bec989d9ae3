"""The inbox: the kinds of its rows, and how commands between buckets are appended to it.

A command is an effect on another bucket. It travels as a row of that bucket's inbox, never as a lock. This module only
appends: `pipeline/absorb` takes rows and deletes them.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from core.arrays import Byteas, SmallInts, Times, columns

INSERT = """
INSERT INTO inbox (bucket, kind, query, body, received_at)
SELECT * FROM unnest(%s::smallint[], %s::smallint[], %s::bytea[], %s::bytea[], %s::timestamptz[])
"""
TYPES = (SmallInts, SmallInts, Byteas, Byteas, Times)


class InboxKind(IntEnum):
    """Stored in `inbox.kind`: values are for ever."""

    EVENT = 1  # /dp
    SYNC = 2  # /uid
    CONFIRM = 3  # a browser came back with the id it was given
    OPT_OUT = 4  # a browser must not be recognised any more, anywhere in the hub
    OPT_IN = 5  # … or may be recognised again
    MATCH = 6  # a line of a match table that names the user by another id than ours
    KEY_USED = 7  # an API key was used at the edge, or refused there

    LINK = 20  # to the bucket of an id: it belongs to this user
    MEET = 21  # to the bucket of the second of two users: they are one person
    MERGE = 22  # to the younger of two users: give itself up
    CONTENT = 23  # to the older: what the younger one held
    MAPPED = 24  # a platform's id now belongs to this user
    UNMAPPED = 25  # … and no longer to this one
    RELEASE = 26  # to the bucket of a platform's id: a user gave it up
    HAND_OVER = 27  # … or was merged into another
    WANT = 28  # what a platform should hold for one of its ids
    ERASE = 29  # forget a user
    ERASE_ID = 30  # … and, in the bucket of the id, an id of a user
    LOG_OUT = 31  # … and, in the bucket of a browser, that the user logged in with it
    FORGET_SHARED_ID = 32  # … and, in the buckets of other users, an id for which they had no room

    JUDGE_ID = 33  # to the bucket of a suspect id: a person has judged it
    DROP_ID = 34  # … and, in the buckets of users, the id names nobody

    CLAIM = 35  # to the bucket of a user who is not confirmed: the platform's id is somebody's, so the match waits

    BUILD = 40  # evaluate every profile of this bucket for one audience
    BACKFILL = 41  # want every mapped member of this bucket for one activation
    FORGET = 42  # forget who of this bucket was in an audience that is deleted
    FORGET_PLATFORM = 43  # forget whom of this bucket a platform knew that is deleted
    CONVERT = 45  # bring what this bucket's profiles hold to the types of a customer's attributes
    RESYNC = 46  # have every id of this bucket sent again for one activation
    WITHDRAW = 47  # want no id of this bucket any more for one activation, which ends
    REPLAY = 48  # have dead letters of this bucket sent again
    RESPELL = 49  # have the ids of this bucket's profiles named by their one spelling, too


FIRST_BULK = 40
"""Kinds from here on go through all of a bucket. They are taken separately from the rows that somebody waits for."""


class InboxQueue(IntEnum):
    """The queues of each bucket. Each is absorbed in the order of its ids, and separately from the others."""

    PROMPT = 0  # what somebody waits for
    BULK = 1  # kinds from `FIRST_BULK` on
    OTHERS = 2  # of PROMPT, what is not sent by customers that flood the inbox


class InboxCommand(NamedTuple):
    """A row to append: `query` is the encoded message of its kind."""

    bucket: int
    kind: InboxKind
    query: bytes
    received_at: datetime
    body: bytes | None = None


_bucket = attrgetter("bucket")


class AnyCursor(Protocol):
    """A database cursor, Django's or psycopg's."""

    def execute(self, query: Any, params: Any = None, /) -> Any: ...


def append(cursor: AnyCursor, commands: Sequence[InboxCommand]) -> None:
    """Append the commands, in the caller's transaction, sorted by bucket so that appenders cannot deadlock."""
    if not commands:
        return
    ordered = sorted(commands, key=_bucket)
    cursor.execute(INSERT, columns(TYPES, [(c.bucket, c.kind, c.query, c.body, c.received_at) for c in ordered]))
