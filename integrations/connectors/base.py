"""The connector contract: what every platform's folder declares, and what the hub asks of it.

A connector says what to send and how to read the answer; it never touches the network, the database or
the clock. Errors are those of `integrations.errors`.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import msgspec
from django.core.exceptions import ValidationError

from integrations.http import Request, Response

Settings = TypeVar("Settings", bound=msgspec.Struct)


class Operation(StrEnum):
    ADD = "add"
    REMOVE = "remove"


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


@dataclass(frozen=True, slots=True)
class Member:
    """One id to add to or remove from a segment."""

    segment: Segment
    platform_user_id: str
    user_id: UUID


class Connector(ABC):
    """One platform, set up. `timeout` (s) bounds a request; a lane waits `linger_ms` for a batch to fill."""

    key: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    settings_type: ClassVar[type[msgspec.Struct]] = Nothing
    credentials_type: ClassVar[Any] = Nothing
    activation_type: ClassVar[type[msgspec.Struct]] = Nothing
    delivers: ClassVar[bool] = True
    timeout: ClassVar[float] = 10.0

    batch_size: int = 1
    one_segment_a_request: bool = False
    linger_ms: int = 0
    creates_segments: bool = False
    removes: bool = False

    def __init__(self, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
        self.settings: Any = convert(self.settings_type, settings, "settings")
        self.credentials: Any = convert(self.credentials_type, credentials, "credentials")

    @abstractmethod
    def creation(self, segment: Segment, timestamp: int) -> Request:
        """The request that creates the segment (asked only of connectors that create segments)."""

    @abstractmethod
    def segment_id(self, response: Response) -> Any:
        """The segment's id from the creation's answer. Raises `Refused` where there is none."""

    @abstractmethod
    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        """The request that adds or removes these members: at most `batch_size`, at least one."""

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

    @classmethod
    def validate_credentials(cls, credentials: dict[str, Any]) -> None:
        convert(cls.credentials_type, credentials, "credentials")

    @classmethod
    def validate_activation(cls, settings: dict[str, Any]) -> None:
        convert(cls.activation_type, settings, "settings")


def convert(type_: Any, value: dict[str, Any], name: str) -> Any:
    """`value` as `type_`; a `ValidationError` says where it does not fit, never what was typed."""
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as wrong:
        raise ValidationError({name: [str(wrong)]}) from None
