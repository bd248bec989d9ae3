"""Semi real-time files as the document describes them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from integrations.connectors.base import Member, Operation, Segment
from integrations.connectors.conformance import USER, Conformance, Example
from integrations.connectors.file.connector import FileDrop
from integrations.connectors.files import FolderDestination, MemberChange, S3Destination, SftpDestination
from tests.integrations.connectors.payloads import HERE, payload

AT = datetime(2026, 3, 1, 4, 5, tzinfo=UTC)
SFTP = {"target": "sftp", "host": "files.example", "path": "in"}
LOG_IN = {"username": "hub", "password": "s3cret"}


def connector(settings: dict[str, Any], credentials: dict[str, Any]) -> FileDrop:
    FileDrop.validate_settings(settings)
    return FileDrop(settings, credentials)


def lines(ready: FileDrop, operation: Operation = Operation.ADD) -> bytes:
    members = [Member(Segment(1, 12345, 9, "Big", {}), one, USER) for one in ("abcdef123", "ghjkl1321")]
    return b"".join(line for member in members for line in ready.lines([MemberChange(member, operation)]))


def test_file__is_named_and_filled_as_the_document_says() -> None:
    ready = connector(SFTP, LOG_IN)
    assert ready.file_name("12345", AT, 0).encode() == payload("file", "name.txt")
    assert lines(ready) == (HERE / "file" / "additions.tsv").read_bytes()
    assert lines(ready, Operation.REMOVE) == b""


def test_operation_column__says_who_leaves() -> None:
    ready = connector(SFTP | {"operation_column": True, "removal": "operation"}, LOG_IN)
    assert lines(ready, Operation.REMOVE) == b"abcdef123\tremove\nghjkl1321\tremove\n"


def test_destination__is_what_the_target_says() -> None:
    assert connector(SFTP, LOG_IN).destination() == SftpDestination("files.example", 22, "in", "hub", "s3cret")
    assert connector({"target": "folder", "path": "a"}, {}).destination() == FolderDestination("a")
    store = {"target": "s3", "host": "https://store.example", "bucket": "b", "path": "/p/"}
    assert connector(store, LOG_IN).destination() == S3Destination("https://store.example", "b", "p", "hub", "s3cret")


@pytest.mark.parametrize("wrong", [{"target": "sftp"}, {**SFTP, "removal": "operation"}, {**SFTP, "removal": "ttl"}])
def test_settings__that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        connector(wrong, LOG_IN)


class TestConformance(Conformance):
    example = Example(connector=FileDrop, settings=SFTP, credentials=LOG_IN, ids=("abcdef123", "ghjkl1321"))
