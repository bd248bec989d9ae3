"""The texts that quote what a platform answered, or what the hub could not use: where erased ids are searched for.

`QUOTING` is the list of them. A new column of text belongs there, or among those of which
`tests/pipeline/test_quoting_columns.py` says why they quote nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.arrays import Ints, SmallInts
from core.buckets import BUCKETS
from core.database import Connection
from core.mentions import Mentions, mentions

ERASED = "(the words are gone: they quoted an id that was erased)"

_OF_PLATFORMS = "platform_id = ANY(%(platforms)s::int[])"
_IN_BUCKETS = f"bucket = ANY(%(buckets)s::smallint[]) AND {_OF_PLATFORMS}"
_OF_CUSTOMERS = "customer_id = ANY(%(customers)s::int[])"
_OF_AUDIENCES = f"audience_id IN (SELECT id FROM audience WHERE {_OF_CUSTOMERS})"


@dataclass(frozen=True, slots=True)
class Quoting:
    """Columns of a table that quote ids. Where one does, all of them become `instead`; None: the row is deleted.

    `where`: which rows are looked at.
    """

    table: str
    columns: tuple[str, ...]
    where: str
    instead: str | None = ""

    @property
    def statement(self) -> str:
        found = " OR ".join(mentions(column) for column in self.columns)
        where = f"WHERE {self.where} AND ({found})"
        if self.instead is None:
            return f"DELETE FROM {self.table} {where}"
        return f"UPDATE {self.table} SET {', '.join(f'{one} = %(instead)s' for one in self.columns)} {where}"


_LOG = Quoting("batch", ("request_excerpt", "response_excerpt", "error"), f"{_IN_BUCKETS} AND started_at >= %(since)s")
_LETTERS = Quoting("dead_letter", ("reason", "response_excerpt"), _IN_BUCKETS)
_DELIVERIES = Quoting("delivery", ("error",), f"{_IN_BUCKETS} AND error <> ''")
_ANSWERS = (
    _LOG,
    _LETTERS,
    Quoting("activation", ("last_error",), _OF_PLATFORMS, ERASED),
    Quoting("platform_health", ("reason",), _OF_PLATFORMS, ERASED),
    Quoting("uploaded_file", ("reason",), _OF_PLATFORMS, ERASED),
)
_OTHERS = (
    Quoting("configuration_problem", ("words",), _OF_CUSTOMERS, ERASED),
    Quoting("lookalike_run", ("error",), _OF_AUDIENCES, ERASED),
    Quoting("lookalike_model", ("refusal",), _OF_AUDIENCES, ERASED),
    # what a browser that is not confirmed would take from the erased person
    Quoting("match_claim", ("platform_user_id",), f"bucket = ANY(%(buckets)s::smallint[]) AND {_OF_CUSTOMERS}", None),
    # what somebody searched for; with no text left it would mean all letters
    Quoting("dead_letter_replay", ("reason",), f"({_OF_CUSTOMERS} OR customer_id IS NULL)", None),
)
QUOTING = (_DELIVERIES, *_ANSWERS, *_OTHERS)

# an answer is noted beside what is to be sent again, found by its index, or beside a letter
ERASE_IN_DUE = f"""
UPDATE delivery SET error = ''
WHERE bucket = ANY(%(buckets)s::smallint[]) AND activation_id = ANY(%(activations)s::int[])
AND wanted = ANY('{{false,true}}') AND due_at IS NOT NULL AND error <> '' AND {mentions("error")}
"""
ERASE_IN_DEAD = f"""
UPDATE delivery d SET error = '' FROM dead_letter l
WHERE l.bucket = ANY(%(buckets)s::smallint[]) AND l.platform_id = ANY(%(platforms)s::int[])
AND d.bucket = l.bucket AND d.activation_id = l.activation_id AND d.platform_user_id = l.platform_user_id
AND d.error <> '' AND {mentions("d.error")}
"""
ACTIVATIONS = "SELECT id FROM activation WHERE platform_id = ANY(%s::int[])"


def erase_everywhere(
    connection: Connection, customer: int, platforms: Sequence[int], ids: Mentions, since: datetime
) -> None:
    """Empty every text of a customer with these platforms that quotes an id. `since`: no older batch holds one.

    Reads all deliveries.
    """
    values = _values(platforms, ids, since) | {"customers": Ints.of([customer])}
    for one in QUOTING:
        connection.execute(one.statement, {**values, "instead": one.instead})


def erase_in_answers(connection: Connection, platforms: Sequence[int], ids: Mentions, since: datetime) -> None:
    """Empty the texts of these platforms that quote an id since then: what they answered when they removed it."""
    values = _values(platforms, ids, since)
    activations = [key for (key,) in connection.execute(ACTIVATIONS, [values["platforms"]]).fetchall()]
    connection.execute(ERASE_IN_DUE, {**values, "activations": Ints.of(activations)})
    connection.execute(ERASE_IN_DEAD, values)
    for one in _ANSWERS:
        connection.execute(one.statement, {**values, "instead": one.instead})


def _values(platforms: Sequence[int], ids: Mentions, since: datetime) -> dict[str, Any]:
    return {
        "buckets": SmallInts.of(range(BUCKETS)),
        "platforms": Ints.of(platforms),
        "since": since,
        **ids.values,
    }
