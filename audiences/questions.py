"""Questions whose cost depends on what is asked: a few at once for each customer, and each for a bounded time.

So a customer who asks without end, or asks what takes long, keeps neither the database nor the console from others.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg import Cursor
from psycopg.errors import QueryCanceled

from core.errors import OverQuotaError, UnavailableError
from core.models import Customer
from core.transactions import plain_cursor

LOCKS = 0x646D72  # a class of advisory locks: one place a question
SECONDS = 3
RETRY_SECONDS = 2
_PLACES = 16  # at most, of one customer
_NUMBERS = 2**31 // _PLACES

TAKE = "SELECT pg_try_advisory_xact_lock(%s, %s)"
PINNED = (
    f"SET LOCAL statement_timeout = '{SECONDS}s'",
    "SET LOCAL enable_seqscan = off",  # a database that has not been analysed yet would read whole tables
    "SET LOCAL jit = off",
)


class TooManyQuestionsError(OverQuotaError):
    """As many questions of the customer are being answered as may be at once."""

    def __init__(self, most: int) -> None:
        super().__init__(RETRY_SECONDS, f"{most} estimates of this customer are under way, as many as may be at once")


class QuestionTooLongError(UnavailableError):
    """The answer took too long."""

    def __init__(self) -> None:
        super().__init__(f"this takes more than {SECONDS} seconds to find out now: ask for less, or later")


@contextmanager
def question_cursor(customer: int) -> Iterator[Cursor[Any]]:
    """A cursor for a question of a customer, in a transaction. Raises TooManyQuestionsError, QuestionTooLongError."""
    most = min(_PLACES, Customer.objects.get(pk=customer).allowed.estimates)
    try:
        with plain_cursor() as cursor:
            if not any(_take(cursor, customer, place) for place in range(most)):
                raise TooManyQuestionsError(most)
            for setting in PINNED:
                cursor.execute(setting)
            yield cursor
    except QueryCanceled:
        raise QuestionTooLongError from None


def _take(cursor: Cursor[Any], customer: int, place: int) -> bool:
    cursor.execute(TAKE, [LOCKS, customer % _NUMBERS * _PLACES + place])
    return cursor.fetchone() == (True,)
