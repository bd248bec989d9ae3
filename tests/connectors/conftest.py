import pytest

from tests.activation.conftest import private_targets, telling
from tests.connectors.storms import Storm
from tests.pipeline.conftest import shop
from tests.pipeline.tables import db
from tests.sandbox.conftest import running_sandbox, sandbox

__all__ = ["Storm", "db", "private_targets", "running_sandbox", "sandbox", "shop", "telling"]


@pytest.fixture(autouse=True)
def paced(private_targets: object) -> None:
    """Every test here calls the sandbox."""
