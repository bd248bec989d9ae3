"""What a connector asks to know of the rows it sends, beside their ids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Cursor

from activation.stores.claims import ClaimedRow
from core import buckets, clock
from core.arrays import Ints, SmallInts, Texts, Uuids, columns
from integrations.connectors.base import Connector, Member, Operation, Segment
from integrations.errors import ConnectorFaultError, IntegrationError

ATTRIBUTES = """
SELECT p.user_id, p.customer_id, p.attributes FROM unnest(%s, %s, %s) AS k (bucket, customer_id, user_id)
JOIN profile p ON p.bucket = k.bucket AND p.customer_id = k.customer_id AND p.user_id = k.user_id
WHERE NOT p.opted_out
"""
EXTRAS = """
SELECT m.platform_user_id, m.user_id, m.extra FROM unnest(%s, %s, %s) AS k (bucket, user_id, platform_user_id)
JOIN user_mapping m ON m.bucket = k.bucket AND m.user_id = k.user_id AND m.platform_id = %s
    AND m.platform_user_id = k.platform_user_id
"""


@dataclass(frozen=True, slots=True)
class MemberReader:
    """Reads the members of one platform, by claimed rows. It only reads profiles and mappings."""

    cursor: Cursor[Any]
    connector: Connector
    platform: int
    segments: Mapping[int, Segment]

    def read(self, rows: Sequence[ClaimedRow]) -> list[Member]:
        """Returns the rows as their connector takes them, in the same order."""
        segments = self.segments
        if not self.connector.wanted_attributes and not self.connector.wants_extra:
            return [Member(segments[row.activation], row.platform_user_id, row.user_id) for row in rows]
        attributes = self._attributes(rows)
        extras = self._extras(rows) if self.connector.wants_extra else {}
        return [
            Member(
                segments[row.activation],
                row.platform_user_id,
                row.user_id,
                attributes.get((segments[row.activation].customer, row.user_id), {}),
                extras.get((row.platform_user_id, row.user_id), {}),
            )
            for row in rows
        ]

    def _attributes(self, rows: Sequence[ClaimedRow]) -> dict[tuple[int, UUID], dict[str, Any]]:
        wanted = self.connector.wanted_attributes
        if not wanted:
            return {}
        keys = {(buckets.of_user(row.user_id), self.segments[row.activation].customer, row.user_id) for row in rows}
        self.cursor.execute(ATTRIBUTES, columns((SmallInts, Ints, Uuids), sorted(keys)))
        return {
            (customer, user): {name: value for name, value in attributes.items() if name in wanted}
            for user, customer, attributes in self.cursor
        }

    def _extras(self, rows: Sequence[ClaimedRow]) -> dict[tuple[str, UUID], dict[str, str]]:
        keys = {(buckets.of_user(row.user_id), row.user_id, row.platform_user_id) for row in rows}
        self.cursor.execute(EXTRAS, [*columns((SmallInts, Uuids, Texts), sorted(keys)), self.platform])
        return {(platform_user_id, user): extra for platform_user_id, user, extra in self.cursor}


def can_be_sent(connector: Connector, operation: Operation, member: Member) -> bool:
    """Whether the connector makes a request of this member alone. Nothing is sent."""
    try:
        connector.push(operation, [member], clock.now_seconds())
    except ConnectorFaultError:
        return False
    except IntegrationError:
        return True  # what that is about, it says when the row is sent
    return True
