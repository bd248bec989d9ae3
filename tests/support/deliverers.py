"""Deliverers in processes of their own, on the test database."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from integrations.models import Platform
from tests.support import forked
from tests.support.forked import Forked

OWN = {"HASTY": "0.5"}


class Deliverers:
    """Starts `tests.support.delivering`; those that are left at the end are killed."""

    def __init__(self, database_url: str, stack: ExitStack) -> None:
        self._stack = stack
        self._database_url = database_url

    def start(self, platform: Platform, **more: str) -> Forked:
        """Returns when it begins to deliver."""
        process = forked.start("tests.support.delivering", [str(platform.pl)], self._database_url, OWN | more)
        self._stack.callback(process.kill)
        process.stdout.readline()
        return process


@pytest.fixture
def deliverers(database_url: str) -> Iterator[Deliverers]:
    with ExitStack() as stack:
        yield Deliverers(database_url, stack)
