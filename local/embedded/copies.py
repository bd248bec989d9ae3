"""Copies of a home's PostgreSQL data, from which other homes start: making and migrating a database takes seconds."""

import shutil
from pathlib import Path

from core.environment import Environment
from local.embedded.account import give
from local.embedded.services import places_of


def keep_copy(environment: Environment, folder: Path) -> None:
    """Copy the data of a home that nobody uses to a folder that is not there yet."""
    draft = folder.with_name(f"{folder.name}-draft")
    shutil.copytree(_data_of(environment), draft)
    draft.rename(folder)


def start_from(environment: Environment, folder: Path) -> None:
    """Give a new home the data that was copied. Nothing is synced to disk: for data that may be lost."""
    places = places_of(environment)
    places.make()
    shutil.copytree(folder, _data_of(environment))
    if places.account is not None:
        give(_data_of(environment), places.account)


def _data_of(environment: Environment) -> Path:
    return places_of(environment).postgres.resolve() / "data"
