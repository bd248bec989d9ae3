"""A customer's questions: a few at once, each for a bounded time, and never at the cost of another's."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from django.db import connection

from audiences import questions
from audiences.questions import LOCKS, QuestionTooLongError, TooManyQuestionsError, question_cursor
from core.models import ApiKey, Customer
from tests.support.api_caller import caller
from tests.support.tables import db

__all__ = ["db"]

SAME = {"combinator": "and", "rules": [{"field": "pixel.7.count", "operator": ">=", "value": 1}]}


@pytest.fixture
def shops(db: None, settings: Any) -> list[Customer]:
    settings.CUSTOMER_LIMITS = replace(settings.CUSTOMER_LIMITS, estimates=2)
    found = [Customer.objects.create(m=m, name=f"Shop {m}") for m in (1, 2)]
    found[0].pixels.create(id=7, name="page")
    return found


@pytest.fixture
def asking(shops: list[Customer], database_url: str) -> Iterator[None]:
    """The first customer asks twice elsewhere, and waits for the answers."""
    with ExitStack() as stack:
        for place in range(2):
            other = stack.enter_context(closing(psycopg.connect(database_url)))
            other.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCKS, shops[0].m * 16 + place])
        yield


@pytest.mark.usefixtures("asking")
def test_question__beside_as_many_as_may_be__is_refused__and_anothers_is_not(shops: list[Customer]) -> None:
    with pytest.raises(TooManyQuestionsError), question_cursor(shops[0].m):
        pass
    with question_cursor(shops[1].m) as cursor:
        assert cursor.execute("SELECT 1").fetchone() == (1,)
    refused = caller(ApiKey.Role.ADMIN).post("audiences/estimate/", {"customer": 1, "rule": SAME})
    assert (refused.status, refused.headers["Retry-After"]) == (429, "2")


@pytest.mark.usefixtures("asking")
def test_question__of_a_customer_with_more_places__is_answered(shops: list[Customer]) -> None:
    Customer.objects.filter(m=1).update(limits={"estimates": 3})
    assert caller(ApiKey.Role.ADMIN).post("audiences/estimate/", {"customer": 1, "rule": SAME}).status == 200


def test_question__that_takes_too_long__is_given_up(shops: list[Customer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "PINNED", ("SET LOCAL statement_timeout = '10ms'",))
    with pytest.raises(QuestionTooLongError), question_cursor(shops[0].m) as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    assert not connection.in_atomic_block
    with question_cursor(shops[0].m):
        pass
