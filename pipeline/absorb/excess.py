"""What a batch had no room for: kept as parts of bad rows, counted for each profile and customer."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from psycopg import Cursor

from core.limits import DataCaps
from profiles import excess
from profiles.excess import ExcessCount, ProfileRow, names_of
from profiles.state import ProfileState


class BatchExcess:
    """Counts what had no room under `caps`, which are this process's settings."""

    __slots__ = ("_counts", "_cursor", "caps")

    def __init__(self, cursor: Cursor[Any]) -> None:
        self.caps: DataCaps = settings.ENVIRONMENT.data_caps
        self._cursor = cursor
        self._counts: dict[ProfileRow, ExcessCount] = defaultdict(ExcessCount)

    def count(self, profile: ProfileState, attributes: Mapping[str, Any]) -> str:
        """Count the attributes of one event that had no room; returns the reason that their bad row gives."""
        self._counts[profile.bucket, profile.customer, profile.user_id].add(attributes)
        return self._reason(attributes)

    def save(self, now: datetime) -> None:
        excess.save(self._cursor, self._counts, now)

    def _reason(self, attributes: Mapping[str, Any]) -> str:
        names = names_of(attributes)
        more = f" and {len(attributes) - len(names)} more" if len(names) < len(attributes) else ""
        caps = self.caps
        return (
            f"no room for {', '.join(names)}{more}: an event may bring {caps.event_attributes} attributes and"
            f" {caps.event_bytes} bytes, a profile holds {caps.profile_attributes} and {caps.profile_bytes}"
        )
