"""docs/answers.md says of every answer what the code makes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations import errors
from integrations.answers.meaning import Meaning, failure, meaning_of
from integrations.http import Response

PAGE = (Path(__file__).parents[2] / "docs" / "answers.md").read_text()
WITH = {
    "": ({}, b"{}"),
    "wait": ({"retry-after": "20"}, b"{}"),
    "a page": ({"content-type": "text/html"}, b"<!doctype html><p>soon"),
    "final words": ({}, b'{"error": "the list already exists"}'),
}
NO_ERROR = {Meaning.ACCEPTED, Meaning.EACH, Meaning.EXISTS}


def rows(heading: str) -> list[list[str]]:
    part = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def statuses(text: str) -> Iterator[int]:
    for part in text.split(", "):
        first, _, last = part.partition("–")
        yield from range(int(first), int(last or first) + 1)


@pytest.mark.parametrize(("status", "condition", "means"), rows("By status"))
def test_table__of_statuses__is_what_the_code_does(status: str, condition: str, means: str) -> None:
    headers, body = WITH[condition]
    found = {one: meaning_of(Response(one, headers, body)) for one in statuses(status)}
    assert found == dict.fromkeys(found, Meaning(means.strip("`")))


@pytest.mark.parametrize("condition", ["", "wait"])
def test_table__of_statuses__names_each_once(condition: str) -> None:
    named = [one for status, with_, _ in rows("By status") if with_ == condition for one in statuses(status)]
    first = [101, *range(200, 300)] if not condition else []
    assert sorted(named) == [*first, *range(300, 600)]


def test_table__of_meanings__names_each_with_its_error() -> None:
    found = {Meaning(means.strip("`")): error.strip("`") for means, error, _ in rows("What each meaning does")}
    assert found.keys() == set(Meaning)
    answer = Response(400, {}, b"no")
    assert {one: type(failure(answer, one)).__name__ for one in found if one not in NO_ERROR} == {
        one: error for one, error in found.items() if one not in NO_ERROR
    }


def test_table__of_what_is_no_answer__names_errors_that_there_are() -> None:
    assert all(hasattr(errors, error.strip("`")) for _, error, _ in rows("No answer"))
