"""How files of profiles are read, as callers say it; and `imports/templates/`, where that is kept under a name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.fields import SkipField, empty
from rest_framework.request import Request

from api.resource import ChangedResource, CreatedResource, DestroyedResource, ReadableResource, customer_field
from api.strict import StrictBody, StrictSerializer
from pipeline.imports.options import ImportOptions, OptionsError, options_of, read_options
from pipeline.models import ImportTemplate

OPTIONS = {
    "encoding": "Of the text, such as cp1252. Left out: UTF-8, or what a byte order mark says.",
    "delimiter": "What separates the columns of CSV: a sign, or comma, semicolon, tab, bar. Left out: found out.",
    "decimal": "The sign before decimals, a point or a comma. Left out: a point, and nothing between thousands.",
    "thousands": "The sign between thousands, where `decimal` is said. Left out: the other of point and comma.",
    "dates": "How times are written: DD.MM.YYYY and the like, or excel. Left out: ISO 8601 and unix times.",
    "empty": "Words that mean no value: a list, or a text with commas between them.",
    "cells": "json: the file is a CSV that the hub exported. Left out: a cell is a text.",
    "mapping": 'What becomes of columns: a list of {"from", "to", "type"} and {"value", "to"} (docs/imports.md).',
    "audience": "A static audience on whose list the users are put (docs/lists.md).",
    "action": "add (where left out) to its list, or remove from it.",
    "known": "1: of the file only the ids count, and nobody is made of them.",
}
"""The options by name, and what they say."""

LISTS = {"empty", "mapping"}
MOST_DIGITS = 18  # of a template's number


@extend_schema_field(OpenApiTypes.ANY)
class OptionField(serializers.Field[Any, Any, Any, Any]):
    """One of the options that a row keeps in `options`. A written one stays as it is given: `read` judges them all."""

    def __init__(self, name: str) -> None:
        super().__init__(required=False, allow_null=True, source="*", help_text=OPTIONS[name])
        self._name = name

    def to_representation(self, row: Any) -> Any:
        return row.options.get(self._name, [] if self._name in LISTS else "")

    def run_validation(self, data: Any = empty) -> Any:
        if data is empty:
            raise SkipField
        return {self._name: data}


class OptionFields(serializers.Serializer[Any]):
    encoding = OptionField("encoding")
    delimiter = OptionField("delimiter")
    decimal = OptionField("decimal")
    thousands = OptionField("thousands")
    dates = OptionField("dates")
    empty = OptionField("empty")
    cells = OptionField("cells")
    mapping = OptionField("mapping")
    audience = OptionField("audience")
    action = OptionField("action")
    known = OptionField("known")


class OptionsBody(OptionFields, StrictBody):
    """Options to read a file by. Null, or an empty value, takes one back."""


class ImportTemplateSerializer(OptionFields, StrictSerializer[ImportTemplate]):
    customer = customer_field()
    fixed = ("customer",)
    unique = ("customer", "name")

    class Meta:
        model = ImportTemplate
        fields = ["id", "customer", "name", *OPTIONS, "created_at"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = {name: attrs.pop(name) for name in OPTIONS if name in attrs}
        kept = self.instance.options if isinstance(self.instance, ImportTemplate) else {}
        return {**super().validate(attrs), "options": changed_options(kept, given).stored()}


class ImportTemplateViewSet(
    CreatedResource[ImportTemplate],
    ReadableResource[ImportTemplate],
    ChangedResource[ImportTemplate],
    DestroyedResource[ImportTemplate],
):
    """How files of one kind are read, under a name: `imports/?template=` takes it."""

    model_class = ImportTemplate
    serializer_class = ImportTemplateSerializer
    filterset_fields = ["customer"]


def given_options(request: Request) -> dict[str, Any]:
    """Return the options of a body, as they are given."""
    body = OptionsBody(data=request.data)
    body.is_valid(raise_exception=True)
    return dict(body.validated_data)


@contextmanager
def option_faults() -> Iterator[None]:
    """Turn what is wrong with options into a 400 that names each."""
    try:
        yield
    except OptionsError as error:
        raise ValidationError({name: [ErrorDetail(fault, "invalid")] for name, fault in error.faults.items()}) from None


def changed_options(kept: Mapping[str, Any], given: Mapping[str, Any]) -> ImportOptions:
    """Return options with others in their places. Raises ValidationError, with all faults."""
    with option_faults():
        return read_options({**options_of(kept).written(), **given})


def asked_options(request: Request, templates: QuerySet[ImportTemplate]) -> ImportOptions:
    """Return the options that query parameters say. `templates`: those that may be named."""
    given = {name: request.query_params[name] for name in OPTIONS if name in request.query_params}
    template = _template(request.query_params.get("template", ""), templates)
    if "template" in request.query_params and template is None:
        fault = "There is no such template of the pixel's customer."
        raise ValidationError({"template": ErrorDetail(fault, "invalid")})
    return changed_options(template.options if template else {}, given)


def _template(number: str, templates: QuerySet[ImportTemplate]) -> ImportTemplate | None:
    is_number = number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS
    return templates.filter(pk=int(number)).first() if is_number else None
