"""What rules of a customer may name, read from the configuration."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from audiences.models import Audience
from audiences.rules.errors import RuleError
from audiences.rules.operators import AttributeType
from audiences.rules.parse import parse
from core.models import Customer
from core.time_zones import DEFAULT
from integrations.models import Platform
from profiles.conversion import fault_of
from profiles.models import Attribute, Pixel


@dataclass(slots=True)
class CustomerSchema:
    """One customer's enabled attributes, pixels, platforms and audiences (`audiences.rules.fields.Schema`)."""

    attributes: dict[str, AttributeType] = field(default_factory=dict)
    pixels: set[int] = field(default_factory=set)
    platforms: set[int] = field(default_factory=set)
    audiences: set[int] = field(default_factory=set)
    zone: str = DEFAULT

    def attribute_type(self, path: str, /) -> AttributeType | None:
        return self.attributes.get(path)

    def has_pixel(self, pixel: int, /) -> bool:
        return pixel in self.pixels

    def has_audience(self, audience: int, /) -> bool:
        return audience in self.audiences

    def has_platform(self, platform: int, /) -> bool:
        return platform in self.platforms

    def time_zone(self) -> str:
        return self.zone

    def agrees(self, consulted: "Consulted") -> bool:
        """Returns whether the schema still says what a rule was told when it was read."""
        return all(getattr(self, question)(*about) == answer for question, about, answer in consulted)


Consulted = tuple[tuple[str, tuple[Any, ...], Any], ...]
"""What a rule asked of the schema: the method, what it was asked about, and what it returned."""


class SchemaReader:
    """A customer's schema that notes what it is asked."""

    def __init__(self, known: CustomerSchema) -> None:
        self._known = known
        self._consulted: dict[tuple[str, tuple[Any, ...]], Any] = {}

    @property
    def consulted(self) -> Consulted:
        return tuple((question, about, answer) for (question, about), answer in self._consulted.items())

    @property
    def asked_for_zone(self) -> bool:
        """Whether the rule depends on the customer's time zone."""
        return ("time_zone", ()) in self._consulted

    def attribute_type(self, path: str, /) -> AttributeType | None:
        answer = self._consulted["attribute_type", (path,)] = self._known.attribute_type(path)
        return answer

    def has_pixel(self, pixel: int, /) -> bool:
        answer = self._consulted["has_pixel", (pixel,)] = self._known.has_pixel(pixel)
        return answer

    def has_audience(self, audience: int, /) -> bool:
        answer = self._consulted["has_audience", (audience,)] = self._known.has_audience(audience)
        return answer

    def has_platform(self, platform: int, /) -> bool:
        answer = self._consulted["has_platform", (platform,)] = self._known.has_platform(platform)
        return answer

    def time_zone(self) -> str:
        answer = self._consulted["time_zone", ()] = self._known.time_zone()
        return answer


def depends_on_zone(rule: object, known: CustomerSchema) -> bool:
    """Returns whether a rule asks about days or dates of the customer's time zone. False for one that cannot work."""
    reader = SchemaReader(known)
    try:
        parse(rule, reader)
    except RuleError:
        return False
    return reader.asked_for_zone


@dataclass(frozen=True, slots=True)
class SchemaOfSavedRules:
    """Reads rules that were accepted when they were saved, also where something that they name is gone since."""

    known: CustomerSchema

    def attribute_type(self, path: str, /) -> AttributeType:
        return self.known.attribute_type(path) or "mixed"

    def has_pixel(self, _pixel: int, /) -> bool:
        return True

    def has_audience(self, _audience: int, /) -> bool:
        return True

    def has_platform(self, _platform: int, /) -> bool:
        return True

    def time_zone(self) -> str:
        return self.known.zone


def schemas(**only: Any) -> Callable[[int], CustomerSchema]:
    """Returns a function that gives a customer's schema. `customer_id=…`: read only that customer's.

    An attribute whose path or type cannot be read is left out: rules do not find it.
    """
    found: dict[int, CustomerSchema] = defaultdict(CustomerSchema)
    attributes = Attribute.objects.filter(enabled=True, **only)
    for customer, path, type_ in attributes.values_list("customer_id", "path", "type"):
        if fault_of(path, type_) is None:
            found[customer].attributes[path] = cast("AttributeType", type_)
    for customer, pixel in Pixel.objects.filter(**only).values_list("customer_id", "id"):
        found[customer].pixels.add(pixel)
    for customer, pl in Platform.objects.filter(**only).values_list("customer_id", "pl"):
        found[customer].platforms.add(pl)
    for customer, audience in Audience.objects.filter(**only).values_list("customer_id", "id"):
        found[customer].audiences.add(audience)
    named = {f"m{name.removeprefix('customer_id')}": given for name, given in only.items()}
    for customer, zone in Customer.objects.filter(**named).values_list("m", "time_zone"):
        found[customer].zone = zone
    return lambda customer: found[customer]


def labels_of(customer: int) -> dict[str, str]:
    """Returns the names of what rules refer to: `attribute.<path>`, `pixel.<id>`, `platform.<pl>`, `audience.<id>`."""
    attributes = Attribute.objects.filter(customer_id=customer).exclude(name="").values_list("path", "name")
    pixels = Pixel.objects.filter(customer_id=customer).values_list("id", "name")
    platforms = Platform.objects.filter(customer_id=customer).values_list("pl", "name")
    audiences = Audience.objects.filter(customer_id=customer).values_list("id", "name")
    of = {"attribute": attributes, "pixel": pixels, "platform": platforms, "audience": audiences}
    return {f"{kind}.{key}": name for kind, rows in of.items() for key, name in rows}


def names_of(customer: int) -> dict[str, str]:
    """Returns the same names in quotes, and the time zone, as `audiences.rules.render` takes them."""
    zone = Customer.objects.filter(m=customer).values_list("time_zone", flat=True).first()
    return {"time_zone": zone or DEFAULT, **{key: f"“{label}”" for key, label in labels_of(customer).items()}}


def schema_of(customer: int) -> CustomerSchema:
    return schemas(customer_id=customer)(customer)
