"""User sync only: there is nothing to send, and no way to make it send."""

import pytest
from django.core.exceptions import ValidationError

from integrations.connectors.base import Member, Operation, Segment
from integrations.connectors.conformance import USER
from integrations.connectors.none.connector import NoneConnector
from integrations.errors import MisconfiguredError


def test_none__delivers_nothing() -> None:
    ready = NoneConnector({}, {})
    assert not ready.delivers
    with pytest.raises(MisconfiguredError):
        ready.push(Operation.ADD, [Member(Segment(1, 1, 1, "x", {}), "a", USER)], 0)
    with pytest.raises(ValidationError):
        NoneConnector.validate_settings({"url": "https://x.example/"})
