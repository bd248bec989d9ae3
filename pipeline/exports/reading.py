"""The members of an audience, a page at a time: each page is read in a transaction of its own.

So an export of any size keeps no snapshot open and needs little memory. It is no picture of one moment: somebody who
enters or leaves while it runs may be in it or not. Nobody is in it twice.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum

from audiences.models import Audience, AudienceBucket
from core.clock import milliseconds
from core.json_values import loads
from pipeline.exports.columns import SINCE, USER, Column

PAGE = 250  # members; of each only what is exported is read
FIRST = UUID(int=0)

MEMBERS = """
SELECT m.user_id, m.since{values}
FROM membership m
JOIN profile p ON p.bucket = m.bucket AND p.customer_id = m.customer_id AND p.user_id = m.user_id
WHERE m.bucket = %s AND p.bucket = %s AND m.audience_id = %s AND m.user_id > %s AND m.member AND p.customer_id = %s
ORDER BY m.user_id LIMIT %s
"""
_PLACE = {False: "(p.attributes -> %s)::text", True: "(p.dimensions -> %s)::text"}
# a database that has not been analysed yet would read whole tables
PINNED = ("SET LOCAL enable_seqscan = off", "SET LOCAL enable_hashjoin = off", "SET LOCAL enable_mergejoin = off")

Row = list[Any]
"""The values of a member, one for each column; None where there is none."""


def pages_of(audience: Audience, columns: Sequence[Column]) -> Iterator[list[Row]]:
    """Yields the members, in order of bucket and user id."""
    sizes = AudienceBucket.objects.filter(audience_id=audience.pk).values("bucket").annotate(members=Sum("size"))
    for bucket in sorted(sizes.filter(members__gt=0).values_list("bucket", flat=True)):
        after = FIRST
        while True:
            found = _page(audience, bucket, after, columns)
            if found:
                yield [_row(member, columns) for member in found]
            if len(found) < PAGE:
                break
            after = found[-1][0]


def _page(audience: Audience, bucket: int, after: UUID, columns: Sequence[Column]) -> list[tuple[Any, ...]]:
    of_profiles = [column for column in columns if column.keys]
    values = "".join(f", {_PLACE[column.in_dimensions]}" for column in of_profiles)
    bound = [column.keys[0] for column in of_profiles]
    with transaction.atomic(), connection.cursor() as cursor:
        for setting in PINNED:
            cursor.execute(setting)
        cursor.execute(
            MEMBERS.format(values=values), [*bound, bucket, bucket, audience.pk, after, audience.customer_id, PAGE]
        )
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _row(member: tuple[Any, ...], columns: Sequence[Column]) -> Row:
    user, since, *values = member
    held = iter(values)
    row: Row = []
    for column in columns:
        if column.name == USER:
            row.append(str(user))
        elif column.name == SINCE:
            row.append(milliseconds(since) / 1000)
        else:
            row.append(_value_at(next(held), column.keys[1:]))
    return row


def _value_at(text: str | None, keys: Sequence[str]) -> Any:
    value = None if text is None else loads(text)
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
