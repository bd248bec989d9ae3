"""What a connector raises, or returns, beside its contract becomes an error that says what to do next."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import pytest
from django.core.exceptions import ValidationError

from integrations.connectors.base import Member, Operation
from integrations.connectors.files import FileConnector, FolderDestination, MemberChange
from integrations.connectors.http.connector import HttpConnector
from integrations.errors import ConnectorFaultError, RefusedError
from integrations.http import Request

SECRET = "s3cret"


class OddHttpConnector(HttpConnector):
    """Raises, or returns, what it was given."""

    def __init__(self, does: Any) -> None:
        self.does = does

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        if isinstance(self.does, Exception):
            raise self.does
        return cast("Request", self.does)


class OddFileConnector(FileConnector):
    def __init__(self) -> None:
        pass

    def destination(self) -> FolderDestination:
        raise ZeroDivisionError

    def partition(self, member: Member) -> str:
        return cast("str", None)

    def file_name(self, partition: str, at: Any, number: int) -> str:
        return partition

    def lines(self, changes: Sequence[MemberChange]) -> Iterator[bytes]:
        yield b"one\n"
        raise OSError(SECRET)


def push(does: Any) -> Request:
    return OddHttpConnector(does).push(Operation.ADD, [], 0)


@pytest.mark.parametrize("does", [KeyError(SECRET), AttributeError(SECRET), RecursionError(), None, b"", {}])
def test_push__anything_else_than_the_contract__is_a_fault_that_names_no_value(
    does: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ConnectorFaultError, match=r"^the connector has a fault \(push (raised|returned) \w+\)$"):
        push(does)
    assert SECRET not in caplog.text


@pytest.mark.parametrize("does", [RefusedError("no"), ValidationError("no")])
def test_push__errors_of_the_contract__are_left_as_they_are(does: Exception) -> None:
    with pytest.raises(type(does)) as raised:
        push(does)
    assert raised.value is does


def test_files__faults_of_destinations_partitions_and_lines__are_told_too() -> None:
    odd, member = OddFileConnector(), cast("Member", None)
    with pytest.raises(ConnectorFaultError, match="destination raised ZeroDivisionError"):
        odd.destination_of({})
    with pytest.raises(ConnectorFaultError, match="partition returned NoneType"):
        odd.partition(member)
    lines = odd.lines([])
    assert next(lines) == b"one\n"
    with pytest.raises(ConnectorFaultError, match="lines raised OSError"):
        next(lines)
