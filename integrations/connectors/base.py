"""The connector contract: what every platform's folder declares, and what the hub asks of it.

A connector says what to send and how to read the answer; it never touches the network, the database or
the clock. Errors are those of `integrations.errors`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import msgspec
from django.core.exceptions import ValidationError

from integrations import http
from integrations.authorization import TokenSource
from integrations.errors import IntegrationError, MisconfiguredError
from integrations.http import Request, Response
from integrations.limits import Limits

__all__ = [
    "Connector",
    "Limits",
    "Member",
    "Nothing",
    "Operation",
    "Removal",
    "Segment",
    "SegmentSource",
    "Strategy",
    "TokenSource",
    "convert",
]

NONE: Mapping[str, Any] = MappingProxyType({})


class Operation(StrEnum):
    ADD = "add"
    REMOVE = "remove"


class Strategy(StrEnum):
    """How members travel (001_6c0121e2456e8832.txt)."""

    NO_BATCH = "no_batch"
    MICRO_BATCH = "micro_batch"
    FILE = "file"


class Removal(StrEnum):
    """How members leave: by a request, by an operation in what is sent, by the end of their time, or not at all."""

    CALL = "call"
    OPERATION = "operation"
    TTL = "ttl"
    NONE = "none"

    @property
    def is_told(self) -> bool:
        """Whether the platform is told of each one who leaves."""
        return self in {Removal.CALL, Removal.OPERATION}


class SegmentSource(StrEnum):
    """Where a segment's id comes from."""

    CREATED = "created"  # by a request, from the platform's answer
    GIVEN = "given"  # named in each activation's settings
    ALLOCATED = "allocated"  # a 32-bit number of the hub's own, unique in `segment_namespace`, never used again


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No settings."""


@dataclass(frozen=True, slots=True)
class Segment:
    """An activation, as its platform knows it. `id` is None until the platform has given one."""

    activation: int
    id: Any
    audience: int
    name: str
    settings: dict[str, Any]
    customer: int = 0
    platform: int = 0


class Member(NamedTuple):
    """One id to add to or remove from a segment.

    `attributes`: those that the connector wants, by top-level name, where the profile has them. `extra`: what
    came with the user's match (`{"dc": "ewr"}`).
    """

    segment: Segment
    platform_user_id: str
    user_id: UUID
    attributes: Mapping[str, Any] = NONE
    extra: Mapping[str, str] = NONE


class Connector(ABC):
    """One platform, set up. `timeout` (s) bounds a request; a lane waits `linger_ms` for a batch to fill.

    `own_ids`: the platform knows users by our user ids, so that everybody is matched there. `notes`: what people
    have to know or do beyond the settings, in paragraphs. `as_set_up`: names of what the settings decide.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    settings_type: ClassVar[type[msgspec.Struct]] = Nothing
    credentials_type: ClassVar[Any] = Nothing
    activation_type: ClassVar[type[msgspec.Struct]] = Nothing
    notes: ClassVar[str] = ""
    as_set_up: ClassVar[frozenset[str]] = frozenset()
    default_limits: ClassVar[Limits] = Limits()
    delivers: ClassVar[bool] = True
    timeout: ClassVar[float] = 10.0

    strategy: Strategy = Strategy.NO_BATCH
    batch_size: int = 1
    batch_bytes: int | None = None
    linger_ms: int = 0
    one_segment_a_request: bool = False
    one_operation_a_request: bool = True
    segment_source: SegmentSource = SegmentSource.GIVEN
    segment_namespace: str = ""
    reserved_numbers: frozenset[int] = frozenset()
    removal: Removal = Removal.NONE
    ttl_days: int | None = None
    wanted_attributes: frozenset[str] = frozenset()
    wants_extra: bool = False
    own_ids: bool = False

    def __init__(self, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
        self.settings: Any = convert(self.settings_type, settings, "settings")
        self.credentials: Any = convert(self.credentials_type, credentials, "credentials")

    # ── segments ─────────────────────────────────────────────────────────────────────────────────────

    def given_segment(self, settings: dict[str, Any]) -> Any | None:
        """The segment's id in an activation's settings (asked where `segment_source` is GIVEN)."""
        return settings.get("segment_id")

    def creation(self, segment: Segment, timestamp: int) -> Request:
        """The request that creates the segment (asked where `segment_source` is CREATED)."""
        raise MisconfiguredError("this platform has no request that creates segments")

    def segment_id(self, segment: Segment, response: Response) -> Any:
        """The segment's id from the creation's answer. Raises `Refused` where there is none."""
        raise MisconfiguredError("this platform has no request that creates segments")

    def lookup(self, segment: Segment) -> Request | None:
        """The request that finds a segment whose creation was cut off; None where the platform cannot be asked."""
        return None

    def found(self, segment: Segment, response: Response) -> Any | None:
        """The id of this segment in the answer to `lookup`; None where it is not there."""
        return None

    # ── members ──────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        """The request that adds or removes these members: at most `batch_size`, at least one."""

    def succeeded(self, response: Response) -> bool:
        """Whether the platform took the request."""
        return 200 <= response.status < 300

    def failure(self, response: Response) -> IntegrationError:
        """What an answer that is no success means for what to do next."""
        return http.failure(response)

    def outcomes(
        self,
        operation: Operation,
        members: Sequence[Member],
        response: Response,
    ) -> Sequence[IntegrationError | None]:
        """Of a request that succeeded: one for each of its members, None where it was accepted.

        Raises `IntegrationError` where the answer cannot be read: then that is the outcome of all.
        """
        return [None] * len(members)

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────

    def checks(self) -> list[Request]:
        """What tells whether the platform knows us, and changes nothing there."""
        return []

    def checked(self, responses: Sequence[Response]) -> dict[str, Any]:
        """What to show of the answers to `checks`, all of which succeeded. Raises `IntegrationError`."""
        return {"asked": len(responses)}

    def authorization(self) -> TokenSource | None:
        """Where the token on every request comes from; None where it carries none."""
        return None

    def holds(self, segment: Segment, cursor: str | None) -> Request | None:
        """The request for a page of what a segment holds, the first where `cursor` is None; None: it cannot be read."""
        return None

    def held(self, response: Response) -> tuple[Sequence[str], str | None]:
        """The ids of a page that `holds` asked for, and the cursor of the next one (None: it was the last)."""
        raise MisconfiguredError("this platform cannot be read back")

    def warnings(self) -> list[str]:
        """What works, but is hardly meant so."""
        return []

    # ── declarations ─────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def settings_schema(cls) -> dict[str, Any]:
        """JSON Schema of the settings."""
        return msgspec.json.schema(cls.settings_type)

    @classmethod
    def credentials_schema(cls) -> dict[str, Any]:
        return msgspec.json.schema(cls.credentials_type)

    @classmethod
    def activation_schema(cls) -> dict[str, Any]:
        return msgspec.json.schema(cls.activation_type)

    @classmethod
    def validate_settings(cls, settings: dict[str, Any]) -> None:
        """Raise Django's `ValidationError` ({field: [message]}) for settings that cannot work."""
        convert(cls.settings_type, settings, "settings")

    def validate_activation(self, settings: dict[str, Any]) -> None:
        """Raise Django's `ValidationError` for an activation's settings that cannot work."""
        convert(self.activation_type, settings, "settings")
        if self.segment_source is SegmentSource.GIVEN and self.given_segment(settings) in {None, ""}:
            raise ValidationError({"settings": ["segment_id: needed, as this platform creates no segments"]})


def convert(type_: Any, value: dict[str, Any], name: str) -> Any:
    """`value` as `type_`; a `ValidationError` says where it does not fit, never what was typed."""
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as wrong:
        raise ValidationError({name: [str(wrong)]}) from None
