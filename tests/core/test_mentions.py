"""Which texts quote an id, as PostgreSQL finds them."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Cursor

from core.mentions import Mentions, mentions, mentions_in_bytes
from core.transactions import plain_cursor

FROM = "FROM (SELECT %(text)s::text AS text, %(raw)s::bytea AS raw) AS given"
QUERY = f"SELECT {mentions('given.text')}, {mentions_in_bytes('given.raw')} {FROM}"


@pytest.fixture
def cursor(db: None) -> Iterator[Cursor[Any]]:
    with plain_cursor() as cursor:
        yield cursor


def found(cursor: Cursor[Any], text: str, *ids: str) -> set[bool]:
    """Whether the text quotes one of the ids, and whether its bytes do: one answer, if they agree."""
    cursor.execute(QUERY, {"text": text, "raw": text.encode(), **Mentions.of(ids).values})
    return set(cursor.fetchone() or ())


@pytest.mark.parametrize(
    "text",
    [
        '[{"userid":"1"}]',
        '{"n":[1,22]}',
        "https://ads.example/?id=1&x=22",
        "https://ads.example/?to=%3Fid%3D1%26x",
        "user 1 is unknown",
        "unknown: 1.",
        "1",
        "a\\n1\\n22",
        "«1»",
    ],
)
def test_mentions__of_a_short_id__are_found_as_a_whole_word(cursor: Cursor[Any], text: str) -> None:
    assert True in found(cursor, text, "1")


@pytest.mark.parametrize(
    "text", ['[{"userid":"21"}]', "it took 1.5 s", "2024-11-1", "a1", "1st", "v_1", "", "no digit"]
)
def test_mentions__of_a_short_id__within_another_word__are_none(cursor: Cursor[Any], text: str) -> None:
    assert found(cursor, text, "1") == {False}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(one=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
def test_mentions__of_any_id__are_found_plain_in_json_and_in_a_url(cursor: Cursor[Any], one: str) -> None:
    for text in (f"<{one}>", json.dumps({"id": one}), f"/?id={quote(one, safe='')}&x=1"):
        assert found(cursor, text, "another", one) == {True}


def test_mentions__of_nobody__are_none(cursor: Cursor[Any]) -> None:
    assert found(cursor, "anything", "") == {False}
