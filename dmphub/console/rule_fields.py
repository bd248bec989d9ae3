"""What the rule builder offers for a customer: fields, what may be asked of each, and the words for it."""

from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse

from audiences.models import Audience
from audiences.rules.faults import Spot
from audiences.rules.fields import CountField, Field, MomentField, SplitField, operators_of, read_field
from audiences.rules.nodes import Kind, ValueField
from audiences.rules.operators import Operator
from audiences.schema import CustomerSchema, schema_of
from integrations.models import Platform
from profiles.dimensions import DIMENSIONS
from profiles.models import Attribute, Pixel

WORDS = {
    Operator.EQUAL: "is",
    Operator.NOT_EQUAL: "is not",
    Operator.LESS: "is less than",
    Operator.LESS_OR_EQUAL: "is at most",
    Operator.MORE: "is more than",
    Operator.MORE_OR_EQUAL: "is at least",
    Operator.BETWEEN: "is between",
    Operator.NOT_BETWEEN: "is not between",
    Operator.IN: "is one of",
    Operator.NOT_IN: "is none of",
    Operator.CONTAINS: "contains",
    Operator.DOES_NOT_CONTAIN: "does not contain",
    Operator.BEGINS_WITH: "begins with",
    Operator.DOES_NOT_BEGIN_WITH: "does not begin with",
    Operator.ENDS_WITH: "ends with",
    Operator.DOES_NOT_END_WITH: "does not end with",
    Operator.NULL: "is unknown",
    Operator.NOT_NULL: "is known",
    Operator.WITHIN_LAST: "within the last",
    Operator.NOT_WITHIN_LAST: "not within the last",
    Operator.WITHIN_NEXT: "within the next",
}
SPLIT = "split.control"  # a split has any name; this one is as good as any to begin with
BELONGING = {Kind.AUDIENCE: "member of an audience", Kind.PLATFORM: "known on a platform"}

Labelled = tuple[str, str]


@permission_required("audiences.view_audience", raise_exception=True)
def rule_fields(request: HttpRequest) -> JsonResponse:
    """`{"words": {operator: words}, "groups": [{"name", "fields": [field…]}…]}`, a field as `_field` says.

    Of the audience that is edited nothing is offered: it cannot ask about itself.
    """
    customer, edited = request.GET.get("customer", ""), request.GET.get("audience", "")
    groups = _groups(int(customer), int(edited or 0)) if (customer + edited).isdecimal() and customer else []
    return JsonResponse({"words": WORDS, "groups": groups})


def _groups(customer: int, edited: int) -> list[dict[str, Any]]:
    schema = schema_of(customer)
    audiences = Audience.objects.filter(customer_id=customer).exclude(pk=edited).order_by("name")
    platforms = Platform.objects.filter(customer_id=customer).order_by("name")
    choices = {
        Kind.AUDIENCE: list(audiences.values_list("pk", "name")),
        Kind.PLATFORM: list(platforms.values_list("pl", "name")),
    }
    offered = {
        "Attributes": list(_attributes(customer)),
        "Pixels": list(_pixels(customer)),
        "Belonging": [(kind.value, f"{kind.value} membership" if kind is Kind.AUDIENCE else "known on platform")
                      for kind in Kind if choices[kind]],
        "Dimensions of requests": [(f"dimension.{name}", name) for name in sorted(DIMENSIONS)],
        "Control groups": [(SPLIT, "random split “control”, in percent")],
    }  # fmt: skip
    groups = []
    for name, fields in offered.items():
        described = [_field(one, label, schema, choices) for one, label in fields]
        groups.append({"name": name, "fields": [field for field in described if field]})
    return [group for group in groups if group["fields"]]


def _attributes(customer: int) -> Iterator[Labelled]:
    for attribute in Attribute.objects.filter(customer_id=customer, enabled=True).order_by("path"):
        yield f"attribute.{attribute.path}", attribute.name or attribute.path


def _pixels(customer: int) -> Iterator[Labelled]:
    for pixel in Pixel.objects.filter(customer_id=customer).order_by("name"):
        yield f"pixel.{pixel.pk}.count", f"{pixel.name}: how often"
        yield f"pixel.{pixel.pk}.last", f"{pixel.name}: last seen"
        yield f"pixel.{pixel.pk}.first", f"{pixel.name}: first seen"


def _field(
    name: str, label: str, schema: CustomerSchema, choices: dict[Kind, list[tuple[int, str]]]
) -> dict[str, Any] | None:
    """`kind`: an attribute's type, or count, moment, split, audience, platform; `choices`: [[id, name]…].

    None for what was taken away since the list was read.
    """
    field = read_field(name, schema, Spot("", []))
    if field is None:
        return None
    operators = [operator.value for operator in Operator if operator in operators_of(field)]
    told = {"name": name, "label": label, "kind": _kind(field), "operators": operators}
    return {**told, "choices": choices[field]} if isinstance(field, Kind) else told


def _kind(field: Field) -> str:
    match field:
        case ValueField():
            return field.type
        case CountField():
            return "count"
        case MomentField():
            return "moment"
        case SplitField():
            return "split"
        case Kind():
            return field.value
