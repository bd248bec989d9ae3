"""`audit-log/`: every change by a person, a key, a command or the hub itself. Only admins read it."""

import csv
import json
from collections.abc import Iterator, Mapping
from io import StringIO
from typing import Any

import django_filters
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request

from api.filters import MomentFilter, NumberFilter
from api.resource import ReadableResource
from api.uploads import NDJSON
from core.models import AuditEntry

PAGE = 2_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet would take a text for a formula


class AuditActorSerializer(serializers.Serializer[AuditEntry]):
    kind = serializers.ChoiceField(AuditEntry.ActorKind.values, source="actor_kind")
    name = serializers.CharField(source="actor", help_text="The person's log-in; the key's or the command's name.")
    number = serializers.CharField(source="actor_number", help_text="The person's number, or the key's prefix.")


class AuditEntrySerializer(serializers.ModelSerializer[AuditEntry]):
    actor = AuditActorSerializer(source="*")
    customer = serializers.IntegerField(source="customer_id", allow_null=True)
    before = serializers.DictField(
        allow_null=True, help_text="The fields that changed, as they were; secrets are masked. Null: there was nothing."
    )
    after = serializers.DictField(allow_null=True, help_text="The same fields as they are since.")

    class Meta:
        model = AuditEntry
        fields = [
            *("id", "at", "actor", "door", "address", "customer", "action", "object", "object_number", "name"),
            *("before", "after"),
        ]


class AuditFilter(django_filters.FilterSet):
    customer = NumberFilter("customer_id")
    actor = django_filters.CharFilter("actor")
    actor_kind = django_filters.ChoiceFilter(choices=AuditEntry.ActorKind.choices)
    door = django_filters.ChoiceFilter(choices=AuditEntry.Door.choices)
    address = django_filters.CharFilter("address")
    action = django_filters.CharFilter("action")
    object = django_filters.CharFilter("object")
    object_number = django_filters.CharFilter("object_number")
    since = MomentFilter("at", "gte")
    until = MomentFilter("at", "lt")


class CsvRenderer(JSONRenderer):
    """Names the format; refusals are JSON."""

    media_type = "text/csv"
    format = "csv"


class NdjsonRenderer(JSONRenderer):
    media_type = NDJSON
    format = "ndjson"


class AuditLogViewSet(ReadableResource[AuditEntry]):
    """Newest first. A key that belongs to a customer sees what was changed of this customer."""

    model_class = AuditEntry
    serializer_class = AuditEntrySerializer
    filterset_class = AuditFilter
    ordering = ("-id",)
    admins_only = True

    @extend_schema(
        parameters=[OpenApiParameter("format", str, enum=["csv", "ndjson"], description="csv where left out")],
        responses={(200, "text/csv"): OpenApiTypes.STR, (200, NDJSON): OpenApiTypes.STR},
    )
    @action(detail=False, pagination_class=None, renderer_classes=[CsvRenderer, NdjsonRenderer])
    def export(self, request: Request) -> StreamingHttpResponse:
        """Export the entries that fit the filters, the oldest first, as CSV or NDJSON."""
        self._check_parameters(request, {"format"})
        chosen = request.accepted_renderer
        rows = self.filter_queryset(self.get_queryset()).order_by("id").iterator(PAGE)
        entries = (AuditEntrySerializer(row).data for row in rows)
        lines = _csv(entries) if chosen.format == "csv" else _ndjson(entries)
        name = f'attachment; filename="audit-log.{chosen.format}"'
        return StreamingHttpResponse(lines, content_type=chosen.media_type, headers={"Content-Disposition": name})


def _ndjson(entries: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    return (json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)


def _csv(entries: Iterator[Mapping[str, Any]]) -> Iterator[str]:
    header = [name for name in AuditEntrySerializer.Meta.fields if name != "actor"]
    yield _row(["actor_kind", "actor", "actor_number", *header])
    for entry in entries:
        yield _row([*entry["actor"].values(), *(entry[name] for name in header)])


def _row(values: list[Any]) -> str:
    line = StringIO()
    csv.writer(line).writerow([_cell(value) for value in values])
    return line.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
