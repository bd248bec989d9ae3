"""Fixtures that tests of several rooms share."""

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from pytest_django import DjangoDbBlocker

from tests.support import tables
from tests.support.edge_process import database, database_url, edge, edge_process, house

# How long an example takes depends on what else the machine does. On CI the examples are always the same: hypothesis
# sees to that where `CI` is set.
settings.register_profile("dmphub", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("dmphub")

__all__ = ["database", "database_url", "edge", "edge_process", "house"]


@pytest.fixture(scope="module", autouse=True)
def _nothing_left_in_tables(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """What a module commits, and connections that it forgot, are gone after it: modules pass in any order."""
    yield
    gc.collect(1)  # of what is younger than the test run: the collector looks rarely
    with django_db_blocker.unblock():
        tables.empty_if_there()
