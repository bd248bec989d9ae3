"""What the next file would look like, from a few of its members."""

from collections.abc import Iterable
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

from core import clock
from integrations.connectors.base import Member, Operation
from integrations.connectors.files import FileConnector, MemberChange

LINES = 1_000

_id = attrgetter("platform_user_id")


def files(connector: FileConnector, members: Iterable[Member]) -> list[dict[str, Any]]:
    """One sample a partition: the file's name, and its text (header, then lines) before it is packed."""
    now = clock.now()
    partitions: dict[str, list[Member]] = {}
    for member in members:
        partitions.setdefault(connector.partition(member), []).append(member)
    samples = []
    for partition, found in sorted(partitions.items()):
        name = connector.file_name(partition, now, 0)
        lines = islice((line for changes in _changes(connector, found) for line in connector.lines(changes)), LINES)
        text = connector.header(partition, name, now) + b"".join(lines)
        samples.append({"file": name, "text": text.decode("utf-8", "replace")})
    return samples


def _changes(connector: FileConnector, members: list[Member]) -> Iterable[list[MemberChange]]:
    if not connector.by_user:
        return ([MemberChange(member, Operation.ADD)] for member in members)
    users = groupby(sorted(members, key=_id), key=_id)
    return ([MemberChange(member, Operation.ADD) for member in theirs] for _, theirs in users)
