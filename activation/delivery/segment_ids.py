"""Segment ids of the hub's own, for platforms that take ours: 32-bit numbers, never given out twice."""

from typing import Any

from psycopg import Cursor

from integrations.errors import MisconfiguredError

MOST = 2**31 - 1
ALLOCATE = """
INSERT INTO segment_number AS kept (namespace, last) VALUES (%s, 1)
ON CONFLICT (namespace) DO UPDATE SET last = kept.last + 1 WHERE kept.last < %s
RETURNING last
"""


def allocate(cursor: Cursor[Any], namespace: str) -> int:
    """The namespace's next number."""
    cursor.execute(ALLOCATE, [namespace, MOST])
    row = cursor.fetchone()
    if row is None:
        raise MisconfiguredError(f"the namespace “{namespace}” has no numbers left")
    return int(row[0])
