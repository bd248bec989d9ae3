"""The connector contract: what the folder of each platform declares, and what the hub calls.

A connector builds requests and reads responses. Methods named `…_request` build a request, methods named `read_…` read
a response. A connector must never use the network, the database or the clock. It raises `integrations.errors` only, and
`guard` turns anything else into one of them.
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

from integrations.answers import items, meaning
from integrations.answers.meaning import Meaning
from integrations.authorization import TokenSource
from integrations.connectors.guard import guard
from integrations.credential_binding import BoundCredentials, Origins, origins_in
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
    "SegmentPublisher",
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
    """How members are sent: one a request, many a request, or in files (001_6c0121e2456e8832.txt)."""

    NO_BATCH = "no_batch"
    MICRO_BATCH = "micro_batch"
    FILE = "file"


class Removal(StrEnum):
    """How a platform removes members: by a request, by a mark in what is sent, when their time is over, or never."""

    CALL = "call"
    OPERATION = "operation"
    TTL = "ttl"
    NONE = "none"

    @property
    def is_sent(self) -> bool:
        """Whether the hub sends each removal to the platform."""
        return self in {Removal.CALL, Removal.OPERATION}


class SegmentSource(StrEnum):
    """Where the id of a segment comes from."""

    CREATED = "created"  # from the response to a request that creates the segment
    GIVEN = "given"  # from the settings of each activation
    ALLOCATED = "allocated"  # the hub chooses a 32-bit number: unique in `segment_namespace`, never used twice


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """No settings."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment at the platform: what an activation fills. `id` is None until the segment has one.

    `label` tells it apart from others of the same audience on the same platform; `name` holds it too.
    """

    activation: int
    id: Any
    audience: int
    name: str
    settings: dict[str, Any]
    customer: int = 0
    platform: int = 0
    label: str = ""


class Member(NamedTuple):
    """One user to add to a segment or to remove from it.

    `attributes` holds those of `wanted_attributes` that the profile has. `extra` is what came with the user's match,
    for example `{"dc": "ewr"}`.
    """

    segment: Segment
    platform_user_id: str
    user_id: UUID
    attributes: Mapping[str, Any] = NONE
    extra: Mapping[str, str] = NONE


class Connector(ABC):
    """One platform, set up with its settings and credentials.

    `timeout` (s) limits one request. `linger_ms` is how long a lane waits for a batch to fill. `own_ids` means that the
    platform knows users by our user ids, so that everybody is matched; `has_guids`, that its own ids are GUIDs, whose
    case says nothing. `notes` are paragraphs about what people have to know or do beyond the settings.
    `set_by_settings` names the declarations that depend on the settings. `bound` are the credentials with the origins
    that they were given for; None where they are not stored yet.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    settings_type: ClassVar[type[msgspec.Struct]] = Nothing
    credentials_type: ClassVar[Any] = Nothing
    activation_type: ClassVar[type[msgspec.Struct]] = Nothing
    notes: ClassVar[str] = ""
    set_by_settings: ClassVar[frozenset[str]] = frozenset()
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
    has_guids: bool = False

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        guard(cls)

    def __init__(self, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
        self.bound = credentials if isinstance(credentials, BoundCredentials) else None
        self.settings: Any = convert(self.settings_type, settings, "settings")
        self.credentials: Any = convert(self.credentials_type, credentials, "credentials")

    def origins(self) -> Origins:
        """Return the origins to which the credentials go: of all addresses in the settings, unless overridden.

        An origin is scheme, host and port, as `credential_binding.origin_of` and `server` write it. A request to any
        other is not sent.
        """
        return origins_in(msgspec.to_builtins(self.settings))

    # ── segments ─────────────────────────────────────────────────────────────────────────────────────

    def given_segment(self, settings: dict[str, Any]) -> Any | None:
        """Return the segment id from an activation's settings. Called if `segment_source` is GIVEN."""
        return settings.get("segment_id")

    def creation_request(self, segment: Segment, timestamp: int) -> Request:
        """Return the request that creates the segment. Called if `segment_source` is CREATED.

        `timestamp` is the present time (unix seconds).
        """
        raise MisconfiguredError("this platform has no request that creates segments")

    def segment_id(self, segment: Segment, response: Response) -> Any:
        """Return the segment id from the response to the creation. Raises `RefusedError` if there is none."""
        raise MisconfiguredError("this platform has no request that creates segments")

    def lookup_request(self, segment: Segment) -> Request | None:
        """Return the request that finds a segment whose creation was cut off; None if the platform has none."""
        return None

    def read_lookup(self, segment: Segment, response: Response) -> Any | None:
        """Return the id of this segment from the response to `lookup_request`; None if it is not there."""
        return None

    # ── members ──────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        """Return the request that adds or removes these members: from one to `batch_size`.

        `timestamp` is the present time (unix seconds).
        """

    def succeeded(self, response: Response) -> bool:
        """Whether the platform accepted the request. `outcomes` may still find rows that it refused."""
        return meaning.meaning_of(response) in {Meaning.ACCEPTED, Meaning.EACH}

    def failure(self, response: Response) -> IntegrationError:
        """Return the error for a response that is no success. Its class says what to do next."""
        return meaning.failure(response)

    def outcomes(
        self,
        operation: Operation,
        members: Sequence[Member],
        response: Response,
    ) -> Sequence[IntegrationError | None]:
        """Return one outcome for each member of a successful request: None if accepted, otherwise the error.

        Raises `IntegrationError` if the response cannot be read. That is then the outcome of all members; after a
        `MisconfiguredError` the activations stop, because a person has to act.
        """
        if response.status != 207:
            return [None] * len(members)
        return items.read_unasked([member.platform_user_id for member in members], response)

    # ── checks and reading back ──────────────────────────────────────────────────────────────────────────────────────

    def check_requests(self) -> list[Request]:
        """Return requests that check the credentials and change nothing at the platform."""
        return []

    def read_checks(self, responses: Sequence[Response]) -> dict[str, Any]:
        """Return what to show of the responses to `check_requests`, if all succeeded. Raises `IntegrationError`."""
        return {"asked": len(responses)}

    def authorization(self) -> TokenSource | None:
        """Return the source of the token on every request; None if requests carry no token."""
        return None

    def members_request(self, segment: Segment, cursor: str | None) -> Request | None:
        """Return the request for a page of a segment's members; None if the platform cannot be read.

        `cursor` is None for the first page.
        """
        return None

    def read_members(self, response: Response) -> tuple[Sequence[str], str | None]:
        """Return the ids of a page, and the cursor of the next page (None after the last)."""
        raise MisconfiguredError("this platform cannot be read back")

    def warnings(self) -> list[str]:
        """Return warnings about settings that work but are probably a mistake."""
        return []

    # ── declarations ─────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def settings_schema(cls) -> dict[str, Any]:
        """Return the JSON Schema of the settings."""
        return msgspec.json.schema(cls.settings_type)

    @classmethod
    def credentials_schema(cls) -> dict[str, Any]:
        return msgspec.json.schema(cls.credentials_type)

    @classmethod
    def activation_schema(cls) -> dict[str, Any]:
        return msgspec.json.schema(cls.activation_type)

    @classmethod
    def validate_settings(cls, settings: dict[str, Any]) -> None:
        """Raise Django's `ValidationError` ({field: [message]}) if the settings cannot work."""
        convert(cls.settings_type, settings, "settings")

    def validate_activation(self, settings: dict[str, Any]) -> None:
        """Raise Django's `ValidationError` if the settings of an activation cannot work."""
        convert(self.activation_type, settings, "settings")
        if self.segment_source is SegmentSource.GIVEN and self.given_segment(settings) in {None, ""}:
            raise ValidationError({"settings": ["segment_id: needed, as this platform creates no segments"]})


class SegmentPublisher(ABC):
    """An optional capability of a connector: buyers see a segment only after it is published.

    `publishes` maps each kind of publication (a taxonomy, a data segment) to the type of its order.
    """

    publishes: ClassVar[Mapping[str, type[msgspec.Struct]]]

    @abstractmethod
    def publication_request(self, kind: str, order: dict[str, Any], segments: Sequence[Segment]) -> Request:
        """Return the request that publishes these segments; `kind` is a key of `publishes`.

        Raises Django's `ValidationError` if the order does not fit, `IntegrationError` if it cannot be made.
        """


def convert(type_: Any, value: dict[str, Any], name: str) -> Any:
    """Return `value` as `type_`. A `ValidationError` says where it does not fit; it never quotes the value."""
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as wrong:
        raise ValidationError({name: [str(wrong)]}) from None
