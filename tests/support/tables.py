"""Tables that several connections share: what a test commits is seen by all of them, and gone afterwards."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.backends.base.creation import TEST_DATABASE_PREFIX
from pytest_django import DjangoDbBlocker

from core.configuration import ConfigurationVersion
from core.environment import PROJECT_ROOT
from core.wakeups import wakeups
from pipeline import deliver
from pipeline.absorb import stage
from profiles import attribute_sampling

# A version that was used once never comes back, even where another test has emptied its table:
# caches of compiled configuration are keyed by it.
NEXT_VERSION = """
INSERT INTO configuration_version (id, version) VALUES (1, (extract(epoch FROM clock_timestamp()) * 1e9)::bigint)
ON CONFLICT (id) DO UPDATE SET version = configuration_version.version + 1
"""
FUNCTION = "empty_tables_of_tests"
PEOPLE = {"account", "admin", "axes", "mfa", "sessions", "socialaccount"}  # Django's own, of people and their log-ins


@pytest.fixture
def db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """In place of pytest-django's: empty tables, whose rows are committed for real; no stage holds anything."""
    with django_db_blocker.unblock():
        empty()
        yield
        stage.absorbers.drop()
        deliver.connections.drop()
        empty()


def empty_if_there() -> None:
    """Empty the tables of the test database, unless no test has needed it so far."""
    if connection.settings_dict["NAME"].startswith(TEST_DATABASE_PREFIX):
        empty()


def empty() -> None:
    attribute_sampling.sampler.discard()
    _make_function(connection.settings_dict["NAME"])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {FUNCTION}()")
        cursor.execute(NEXT_VERSION)
    wakeups.cache_clear()


@cache
def _make_function(database: str) -> None:
    """A function of the database deletes, because it plans its statements once: they take ten times as long to plan."""
    emptied = [app for app in apps.get_app_configs() if Path(app.path).parent == PROJECT_ROOT or app.label in PEOPLE]
    models = [model for app in emptied for model in app.get_models(include_auto_created=True)]
    names = [model._meta.db_table for model in models if model is not ConfigurationVersion] + [User._meta.db_table]
    deleted = " ".join(f'DELETE FROM "{name}";' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE OR REPLACE FUNCTION {FUNCTION}() RETURNS void LANGUAGE plpgsql AS $$BEGIN {deleted} END$$"
        )
