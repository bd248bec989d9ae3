"""Profiles in a real database, in tables of their own."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from audiences.rules.nodes import Group, Node
from audiences.rules.sql import SqlTables, to_sql
from audiences.rules.sql_until import until_sql
from audiences.rules.subject import PlainSubject
from tests.audiences.rules.world import AUDIENCES, PLATFORMS

TABLES = SqlTables(membership="rule_membership", mapping="rule_mapping")
_SCHEMA = """
CREATE TEMP TABLE rule_profile (bucket smallint NOT NULL, customer_id int NOT NULL, user_id uuid NOT NULL,
    attributes jsonb NOT NULL, dimensions jsonb NOT NULL, activity jsonb NOT NULL);
CREATE TEMP TABLE rule_membership (bucket smallint, audience_id int, user_id uuid, member bool);
CREATE TEMP TABLE rule_mapping (bucket smallint, platform_id int, user_id uuid, platform_user_id text);
"""
_DROP = "DROP TABLE rule_profile; DROP TABLE rule_membership; DROP TABLE rule_mapping"
_CLEAR = "DELETE FROM rule_profile; DELETE FROM rule_membership; DELETE FROM rule_mapping"


@dataclass
class Profiles:
    """Keeps subjects as rows and asks rules about them, all in one statement."""

    stored: list[PlainSubject]

    def store(self, subjects: Sequence[PlainSubject]) -> None:
        self.stored = [replace(subject, user_id=UUID(int=i)) for i, subject in enumerate(subjects)]
        with connection.cursor() as cursor:
            cursor.execute(_CLEAR)
            cursor.executemany(
                "INSERT INTO rule_profile VALUES (%s, 1, %s, %s::jsonb, %s::jsonb, %s::jsonb)",
                [(i % 2, UUID(int=i), *_documents(subject)) for i, subject in enumerate(self.stored)],
            )
            cursor.executemany("INSERT INTO rule_membership VALUES (%s, %s, %s, %s)", self._memberships())
            cursor.executemany("INSERT INTO rule_mapping VALUES (%s, %s, %s, 'x')", self._mappings())

    def _memberships(self) -> list[tuple[Any, ...]]:
        """Those of the subjects, and those of somebody else with the same id in another bucket."""
        return [
            (bucket, audience, UUID(int=i), audience in subject.audiences or bucket != i % 2)
            for i, subject in enumerate(self.stored)
            for audience in AUDIENCES
            for bucket in (0, 1)
        ]

    def _mappings(self) -> list[tuple[Any, ...]]:
        return [
            (bucket, platform, UUID(int=i))
            for i, subject in enumerate(self.stored)
            for platform in PLATFORMS
            for bucket in (0, 1)
            if platform in subject.platforms or bucket != i % 2
        ]

    def ask(self, rules: Sequence[Group], now: int) -> list[list[bool | None]]:
        """For each subject, in order, what each rule says of it."""
        return self._ask([to_sql(rule, now_ms=now, tables=TABLES) for rule in rules])

    def ask_until(self, rules: Sequence[Node], now: int) -> list[list[int | None]]:
        """For each subject, in order, until when each rule's answer holds."""
        asked = [until_sql(rule, now_ms=now, tables=TABLES) for rule in rules]
        return self._ask([(sql.text, list(sql.values)) for sql in asked])

    def _ask(self, asked: list[tuple[str, list[Any]]]) -> list[list[Any]]:
        columns = ", ".join(text for text, _ in asked)
        values = [value for _, bound in asked for value in bound]
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {columns} FROM rule_profile p ORDER BY user_id", values)
            return [list(row) for row in cursor.fetchall()]

    def read_back(self, reader: Callable[[str], Any]) -> list[PlainSubject]:
        """The subjects as the database hands them back, through some reader of JSON."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT attributes::text, dimensions::text, activity::text FROM rule_profile ORDER BY user_id"
            )
            rows = cursor.fetchall()
        return [_as_stored(map(reader, row), stored) for row, stored in zip(rows, self.stored, strict=True)]


def _as_stored(documents: Iterable[Any], subject: PlainSubject) -> PlainSubject:
    attributes, dimensions, activity = documents
    return PlainSubject(attributes, dimensions, activity, subject.audiences, subject.platforms, subject.user_id)


def _documents(subject: PlainSubject) -> list[str]:
    return [json.dumps(document) for document in (subject.attributes, subject.dimensions, subject.activity)]


@pytest.fixture
def profiles(db: None) -> Iterator[Profiles]:
    with connection.cursor() as cursor:
        cursor.execute(_SCHEMA)
        yield Profiles([])
        cursor.execute(_DROP)
