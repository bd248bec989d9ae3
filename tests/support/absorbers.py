"""Absorbers in processes of their own (`absorbing`), on the test database."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support import forked
from tests.support.forked import Forked


class Workers:
    """Starts absorbers; those that are left at the end are killed."""

    def __init__(self, database_url: str, stack: ExitStack) -> None:
        self._stack = stack
        self._database_url = database_url

    def start(self, **more: str) -> Forked:
        process = forked.start("tests.support.absorbing", [], self._database_url, more)
        self._stack.callback(process.kill)
        return process


@pytest.fixture
def workers(database_url: str) -> Iterator[Workers]:
    with ExitStack() as stack:
        yield Workers(database_url, stack)
