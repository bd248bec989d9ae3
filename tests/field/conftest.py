from collections.abc import Iterator

import pytest

from tests.support.edge_process import RunningEdge
from tests.support.field import Field


@pytest.fixture
def field(edge: RunningEdge) -> Iterator[Field]:
    field = Field(edge)
    yield field
    field.absorber.close()
