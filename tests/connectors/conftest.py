from collections.abc import Iterator

import pytest

from tests.activation.conftest import private_targets, telling
from tests.connectors.street import Street
from tests.pipeline.conftest import shop
from tests.pipeline.tables import db
from tests.sandbox.process import SandboxProcess

__all__ = ["db", "private_targets", "shop", "telling"]


@pytest.fixture(scope="session")
def running_street() -> Iterator[Street]:
    with Street() as street:
        yield street


@pytest.fixture
def sandbox(running_street: Street) -> SandboxProcess:
    """The sandbox with the stand-ins of this folder, empty."""
    running_street.reset()
    return running_street
