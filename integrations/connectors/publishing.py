"""Platforms whose buyers see a segment only once it is part of something else: a taxonomy, a data segment."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from integrations.connectors.base import Segment
from integrations.http import Request


class Publishing(ABC):
    """What a connector is beside a `Connector`, where segments have to be published."""

    publishes: ClassVar[Mapping[str, type[msgspec.Struct]]]
    """What segments can be made part of, and what an order for it says."""

    @abstractmethod
    def publication(self, kind: str, order: dict[str, Any], segments: Sequence[Segment]) -> Request:
        """The request that publishes these segments; `kind` is one of `publishes`.

        Raises Django's `ValidationError` for an order that does not fit, `IntegrationError` for one that cannot be
        made.
        """
