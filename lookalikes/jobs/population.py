"""Reads a customer's users as a model sees them, streamed a bucket at a time. Only eligible profiles are read."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import psycopg

from audiences.rules.subject import PlainSubject
from core.database import Connection
from core.json_values import loads
from lookalikes.scoring.fields import FeatureField, FeatureSource

CHUNK = 1_000
_decode = msgspec.json.Decoder().decode  # counts and moments have but one form
HASH_RANGE = 2**32

ELIGIBLE = "p.confirmed AND p.merged_into IS NULL AND NOT p.opted_out"
COLUMNS = "uuid_send(p.user_id), p.attributes::text, p.dimensions::text, p.activity::text"
# who is among the examples is a matter of the user and of a number, so that it can be had again
CHOSEN = "(uuid_hash_extended(p.user_id, %(random_state)s) & 4294967295) < %(most)s"

EVERYBODY = f"""
SELECT {COLUMNS} FROM profile p WHERE p.bucket = %(bucket)s AND p.customer_id = %(customer)s AND {ELIGIBLE}
"""
MEMBERS = f"""
SELECT {COLUMNS} FROM membership m
JOIN profile p ON p.bucket = m.bucket AND p.customer_id = m.customer_id AND p.user_id = m.user_id
WHERE m.bucket = %(bucket)s AND m.audience_id = %(seed)s AND m.member AND p.bucket = %(bucket)s
  AND p.customer_id = %(customer)s AND {ELIGIBLE} AND {CHOSEN}
ORDER BY p.user_id
"""
OTHERS = f"""
SELECT {COLUMNS} FROM profile p
WHERE p.bucket = %(bucket)s AND p.customer_id = %(customer)s AND {ELIGIBLE} AND {CHOSEN}
  AND NOT EXISTS (SELECT 1 FROM membership m WHERE m.bucket = %(bucket)s AND m.bucket = p.bucket
                  AND m.audience_id = %(seed)s AND m.user_id = p.user_id AND m.member)
ORDER BY p.user_id
"""
BELONGING = """
SELECT uuid_send(user_id), audience_id FROM membership WHERE bucket = %s AND audience_id = ANY(%s::int[]) AND member
"""


@dataclass(frozen=True, slots=True)
class Population:
    """The users of one customer, with the seed, and the audiences whose members a model knows."""

    customer: int
    seed: int
    audiences: tuple[int, ...]


def audiences_of(fields: tuple[FeatureField, ...]) -> tuple[int, ...]:
    """Returns the audiences whose members the fields tell apart."""
    return tuple(int(field.keys[0]) for field in fields if field.source is FeatureSource.AUDIENCE)


def everybody(connection: Connection, population: Population, bucket: int) -> Iterator[tuple[bytes, PlainSubject]]:
    """Yields all eligible profiles of the bucket, by the 16 bytes of the user."""
    return _stream(connection, population, bucket, EVERYBODY, {})


def members(
    connection: Connection, population: Population, bucket: int, share: float, random_state: int
) -> Iterator[tuple[bytes, PlainSubject]]:
    """Yields a share of the members of the seed."""
    return _stream(connection, population, bucket, MEMBERS, _chosen(share, random_state))


def others(
    connection: Connection, population: Population, bucket: int, share: float, random_state: int
) -> Iterator[tuple[bytes, PlainSubject]]:
    """Yields a share of those who are no members of the seed."""
    return _stream(connection, population, bucket, OTHERS, _chosen(share, random_state))


def users_in(connection: Connection, audience: int, bucket: int) -> set[bytes]:
    """Returns the members of an audience in one bucket, by the 16 bytes of each."""
    rows = connection.execute(BELONGING, [bucket, [audience]])
    return {user for user, _ in rows}


def _chosen(share: float, random_state: int) -> dict[str, int]:
    return {"most": round(share * HASH_RANGE), "random_state": random_state}


def _stream(
    connection: Connection, population: Population, bucket: int, statement: str, more: dict[str, int]
) -> Iterator[tuple[bytes, PlainSubject]]:
    values = {"bucket": bucket, "customer": population.customer, "seed": population.seed, **more}
    with connection.transaction(), connection.cursor(name="people", binary=True) as people:
        belonging = _belonging(connection.cursor(binary=True), population, bucket)
        people.itersize = CHUNK
        people.execute(statement, values)
        for user, attributes, dimensions, activity in people:
            yield user, PlainSubject(loads(attributes), loads(dimensions), _decode(activity), belonging.get(user, ()))


def _belonging(cursor: psycopg.Cursor[Any], population: Population, bucket: int) -> dict[bytes, set[int]]:
    found: dict[bytes, set[int]] = defaultdict(set)
    if population.audiences:
        for user, audience in cursor.execute(BELONGING, [bucket, list(population.audiences)]):
            found[user].add(audience)
    return found
