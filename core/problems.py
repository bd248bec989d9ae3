"""What of the configuration is broken: an attribute, audience, platform or activation, and why. It is skipped, and says
so.

Processes note what they find when they compile the configuration; API and console show it beside the thing. Where
processes differ, for example in the connectors that are installed, the last one to compile is believed.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.core.exceptions import ValidationError
from django.db import connection, transaction

from core import clock
from core.models import ConfigurationProblem

Subject = ConfigurationProblem.Subject
Problem = tuple[str, int]
"""The subject, and its number."""

LONGEST = 1_000
NOTE = """
INSERT INTO configuration_problem AS known (subject, number, customer_id, words, found_at) VALUES (%s, %s, %s, %s, %s)
ON CONFLICT (subject, number) DO UPDATE SET words = excluded.words, found_at = excluded.found_at
WHERE known.words <> excluded.words
RETURNING number
"""
SOLVED = "DELETE FROM configuration_problem WHERE subject = %s AND number = %s RETURNING number"

log = logging.getLogger(__name__)


def words_of(error: BaseException) -> str:
    """Returns an error as one line for people."""
    text = str(error)
    if isinstance(error, ValidationError):
        by_place = error.message_dict.items() if hasattr(error, "error_dict") else [("", error.messages)]
        text = "; ".join(f"{place}: {' '.join(words)}" if place else " ".join(words) for place, words in by_place)
    return " ".join((text or type(error).__name__).replace("\0", "").split())[:LONGEST]


def replace(customers: Collection[int], found: Mapping[Problem, tuple[int, str]]) -> list[Problem]:
    """Note all that is broken of these customers, as (customer, words). Returns what was broken and is not any more.

    Where several processes do so at once, one of them is given each of these.
    """
    rows = ConfigurationProblem.objects.filter(customer_id__in=customers)
    known = {(row.subject, row.number): row.words for row in rows}
    for problem, (customer, words) in found.items():
        if known.get(problem) != words:
            note(problem, customer, words)
    solved = []
    with transaction.atomic(), connection.cursor() as cursor:
        for problem in sorted(known.keys() - found.keys()):
            cursor.execute(SOLVED, [str(problem[0]), problem[1]])
            if cursor.fetchone() is not None:
                solved.append(problem)
    return solved


def note(problem: Problem, customer: int, words: str) -> None:
    """Note that something is broken. It is logged where nobody has noted the same before."""
    with connection.cursor() as cursor:
        cursor.execute(NOTE, [str(problem[0]), problem[1], customer, words, clock.now()])
        if cursor.fetchone() is not None:
            log.warning("%s %s of customer %s is left out: %s", *problem, customer, words)


def first(things: Sequence[Problem]) -> str:
    """Returns what is wrong with the first of these that cannot be used; empty: they all can."""
    rows = ConfigurationProblem.objects.filter(pk__in=[(str(subject), number) for subject, number in things])
    words = {(row.subject, row.number): row.words for row in rows}
    return next((words[thing] for thing in things if thing in words), "")


def customers() -> set[int]:
    """Returns the customers of whom something cannot be used."""
    return set(ConfigurationProblem.objects.values_list("customer_id", flat=True))


def of(subject: str, numbers: Iterable[int]) -> dict[int, str]:
    """Returns what is wrong with these, by number: nothing for those that can be used."""
    rows = ConfigurationProblem.objects.filter(subject=subject, number__in=list(numbers))
    return dict(rows.values_list("number", "words"))
