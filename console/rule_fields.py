"""What the rule builder offers for a customer: fields, the operators of each, and the words for them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse

from audiences.rules.errors import Location
from audiences.rules.fields import CountField, Field, SplitField, operators_of, read_field
from audiences.rules.nodes import BelongingKind, MomentField, ValueField
from audiences.rules.operators import Operator
from audiences.schema import CustomerSchema, labels_of, schema_of
from console.access import number_of, scope_of
from profiles.events.dimensions import DIMENSIONS

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
    Operator.IS_TODAY: "is today",
    Operator.IS_THIS_MONTH: "is in this month",
    Operator.ANNIVERSARY_WITHIN_NEXT: "has its anniversary within",
}
WORDS_OF_TIMES = {
    Operator.LESS: "is before",
    Operator.LESS_OR_EQUAL: "is at or before",
    Operator.MORE: "is after",
    Operator.MORE_OR_EQUAL: "is at or after",
}
SPLIT = "split.control"  # a split has any name; this one is as good as any to begin with
BELONGING = {BelongingKind.AUDIENCE: "audience membership", BelongingKind.PLATFORM: "known on platform"}
OF_PIXEL = {"count": "how often", "last": "last seen", "first": "first seen"}

Choices = dict[BelongingKind, list[tuple[int, str]]]


@permission_required("audiences.view_audience", raise_exception=True)
def rule_fields(request: HttpRequest) -> JsonResponse:
    """`{"words": {operator: words}, "groups": [{"name", "fields": [field…]}…]}`, a field as `_field` says.

    Of the audience that is edited nothing is offered: it cannot ask about itself.
    """
    customer = number_of(request.GET.get("customer", ""))
    edited = number_of(request.GET.get("audience") or "0")
    if customer is None or edited is None or not scope_of(request).sees(customer):
        return JsonResponse({"words": WORDS, "groups": []})
    return JsonResponse({"words": WORDS, "groups": _groups(customer, edited)})


def _groups(customer: int, edited: int) -> list[dict[str, Any]]:
    schema, labels = schema_of(customer), labels_of(customer)
    choices = {
        BelongingKind.AUDIENCE: _named(schema.audiences - {edited}, BelongingKind.AUDIENCE, labels),
        BelongingKind.PLATFORM: _named(schema.platforms, BelongingKind.PLATFORM, labels),
    }
    offered = {
        "Attributes": [
            (f"attribute.{path}", labels.get(f"attribute.{path}", path)) for path in sorted(schema.attributes)
        ],
        "Pixels": [
            (f"pixel.{pixel}.{what}", f"{name}: {words}")
            for pixel, name in _named(schema.pixels, "pixel", labels)
            for what, words in OF_PIXEL.items()
        ],
        "Belonging": [(kind.value, label) for kind, label in BELONGING.items() if choices[kind]],
        "Dimensions of requests": [(f"dimension.{name}", name) for name in sorted(DIMENSIONS)],
        "Control groups": [(SPLIT, "random split “control”, in percent")],
    }
    described = {
        name: [field for one, label in fields if (field := _field(one, label, schema, choices))]
        for name, fields in offered.items()
    }
    return [{"name": name, "fields": fields} for name, fields in described.items() if fields]


def _named(ids: Iterable[int], kind: str, labels: Mapping[str, str]) -> list[tuple[int, str]]:
    """Return (id, name) in the order of names, without rows that were made since the names were read."""
    found = [(one, labels[f"{kind}.{one}"]) for one in ids if f"{kind}.{one}" in labels]
    return sorted(found, key=lambda pair: (pair[1], pair[0]))


def _field(name: str, label: str, schema: CustomerSchema, choices: Choices) -> dict[str, Any] | None:
    """`kind`: an attribute's type, or count, moment, split, audience, platform; `choices`: [[id, name]…]; `own_words`:
    those of operators that are called otherwise here.

    None for what no rule can name.
    """
    field = read_field(name, schema, Location("", []))
    if field is None:
        return None
    operators = [operator.value for operator in Operator if operator in operators_of(field)]
    described_field = {"name": name, "label": label, "kind": _kind(field), "operators": operators}
    if isinstance(field, BelongingKind):
        return {**described_field, "choices": choices[field]}
    return {**described_field, "own_words": WORDS_OF_TIMES} if _kind(field) == "time" else described_field


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
        case BelongingKind():
            return field.value
