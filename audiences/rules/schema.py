"""What a rule may name: the customer's configuration, as the parser asks for it."""

from typing import Literal, Protocol

AttributeType = Literal["string", "number", "integer", "boolean", "time", "mixed"]


class Schema(Protocol):
    """One customer's attributes, pixels, platforms and audiences."""

    def attribute_type(self, path: str, /) -> AttributeType | None:
        """The type of an attribute by its path, as the rule writes it; none: unknown or not enabled."""

    def has_pixel(self, pixel: int, /) -> bool: ...

    def has_audience(self, audience: int, /) -> bool: ...

    def has_platform(self, platform: int, /) -> bool: ...
