"""The SQL of `dead_letter`. A letter is written by `outcomes.dead`, in one statement with its delivery."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from psycopg import Cursor

from core.arrays import Ints, SmallInts, Texts, columns
from core.database import Connection

Key = tuple[int, int, str]  # bucket, activation, the platform's id

DELETE = """
DELETE FROM dead_letter d USING unnest(%(buckets)s::smallint[], %(activations)s::int[], %(ids)s::text[])
     AS k (bucket, activation_id, platform_user_id)
WHERE d.bucket = k.bucket AND d.activation_id = k.activation_id AND d.platform_user_id = k.platform_user_id
"""
DELETE_OF_ID = """
DELETE FROM dead_letter
WHERE bucket = %(bucket)s AND activation_id = ANY(%(activations)s) AND platform_user_id = %(id)s
"""
NAME_HOLDER = """
UPDATE dead_letter SET user_id = %(holder)s
WHERE bucket = %(bucket)s AND activation_id = ANY(%(activations)s) AND platform_user_id = %(id)s
  AND user_id = ANY(%(users)s)
"""
DELETE_OF_PLATFORM = "DELETE FROM dead_letter WHERE bucket = %s AND platform_id = %s"
DELETE_OLDER = "DELETE FROM dead_letter WHERE bucket = %s AND platform_id = ANY(%s::int[]) AND died_at < %s"
EXISTS = "SELECT EXISTS (SELECT 1 FROM dead_letter WHERE platform_id = %s)"


def exist(cursor: Cursor[Any], platform: int) -> bool:
    """Whether the platform has any dead letter."""
    cursor.execute(EXISTS, [platform])
    return bool((cursor.fetchone() or (False,))[0])


def delete(cursor: Cursor[Any], keys: Iterable[Key]) -> None:
    """Delete the letters of these deliveries, if there are any."""
    cursor.execute(DELETE, key_columns(keys))


def delete_of_id(cursor: Cursor[Any], bucket: int, activations: Sequence[int], platform_user_id: str) -> None:
    """Delete every letter of one platform id."""
    cursor.execute(DELETE_OF_ID, {"bucket": bucket, "activations": Ints.of(activations), "id": platform_user_id})


def name_holder(cursor: Cursor[Any], values: dict[str, Any]) -> None:
    """Letters of an id that name one of the users name the holder (`desired_state.name_holder`)."""
    cursor.execute(NAME_HOLDER, values)


def delete_of_platform(cursor: Cursor[Any], bucket: int, platform: int) -> None:
    """Delete the bucket's letters of a platform that is deleted."""
    cursor.execute(DELETE_OF_PLATFORM, [bucket, platform])


def delete_older(connection: Connection, bucket: int, platforms: Sequence[int], before: datetime) -> None:
    """Delete the bucket's letters of rows that died before."""
    connection.execute(DELETE_OLDER, [bucket, platforms, before])


def key_columns(keys: Iterable[Key]) -> dict[str, Any]:
    """Returns the keys as one array for each column, sorted, so that all writers lock rows in the same order."""
    buckets, activations, ids = columns((SmallInts, Ints, Texts), sorted(keys))
    return {"buckets": buckets, "activations": activations, "ids": ids}
