from collections.abc import Iterator

import pytest

from tests.activation.conftest import private_targets, stage
from tests.pipeline.conftest import shop
from tests.support.sandbox_process import SandboxProcess
from tests.support.sandbox_with_stand_ins import SandboxWithStandIns
from tests.support.tables import db

__all__ = ["db", "private_targets", "shop", "stage"]


@pytest.fixture(scope="session")
def running_street() -> Iterator[SandboxWithStandIns]:
    with SandboxWithStandIns() as street:
        yield street


@pytest.fixture
def sandbox(running_street: SandboxWithStandIns) -> SandboxProcess:
    """The sandbox with the stand-ins of this folder, empty."""
    running_street.reset()
    return running_street
