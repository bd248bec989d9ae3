"""`bad-rows/`: data that was accepted and cannot be used, and why."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_serializer, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from api.access import scope_of
from api.filters import MomentFilter, NumberFilter
from api.idempotency import once
from api.personal import PersonalFields
from api.resource import ListedResource
from api.strict import StrictBody, read_body
from core.models import BadRow
from pipeline import bad_rows


class BadRowSerializer(PersonalFields, serializers.ModelSerializer[BadRow]):
    personal = ("reason", "query", "body")
    id = serializers.SerializerMethodField(help_text="Name it so in a replay.")
    customer = serializers.IntegerField(source="customer_id", allow_null=True)
    kind = serializers.SerializerMethodField()
    query = serializers.SerializerMethodField()
    body = serializers.SerializerMethodField()

    class Meta:
        model = BadRow
        fields = ["id", "customer", "kind", "reason", "query", "body", "received_at", "failed_at"]

    def get_id(self, row: BadRow) -> str:
        return bad_rows.name_of(row)

    def get_kind(self, row: BadRow) -> str:
        return bad_rows.kind_of(row)

    def get_query(self, row: BadRow) -> str:
        return bad_rows.text_of(row.query) or ""

    def get_body(self, row: BadRow) -> str | None:
        return bad_rows.text_of(row.body)


class BadRowFilter(django_filters.FilterSet):
    customer = NumberFilter("customer_id")
    reason = django_filters.CharFilter("reason", "icontains", label="A part of the reason.")
    failed_after = MomentFilter("failed_at", "gte")
    failed_before = MomentFilter("failed_at", "lt")


@extend_schema_serializer(component_name="BadRowReplay")
class BadRowReplaySerializer(StrictBody):
    """Some rows, by `ids`; or all rows of a `customer` that fit the other fields."""

    ids = serializers.ListField(
        child=serializers.RegexField(f"^{bad_rows.NAME}$"),
        allow_empty=False,
        max_length=1000,
        required=False,
        help_text="From the list.",
    )
    customer = serializers.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    reason = serializers.CharField(required=False, help_text="A part of the reason.")
    failed_after = serializers.DateTimeField(required=False)
    failed_before = serializers.DateTimeField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "ids" not in attrs and "customer" not in attrs:
            raise serializers.ValidationError({"ids": "Name rows, or a customer."}, "required")
        if "ids" in attrs and len(attrs) > 1:
            raise serializers.ValidationError({"ids": "Either rows, or a customer and what its rows have in common."})
        return attrs


class BadRowViewSet(ListedResource[BadRow]):
    model_class = BadRow
    serializer_class = BadRowSerializer
    filterset_class = BadRowFilter
    ordering = ("failed_at", "bucket", "id")

    @extend_schema(
        request=BadRowReplaySerializer,
        responses=inline_serializer("Replayed", {"replayed": serializers.IntegerField()}),
    )
    @action(detail=False, methods=["post"])
    @once
    def replay(self, request: Request) -> Response:
        """Put rows back into the inbox, to be tried again: the named ones, or up to 10,000 that fit."""
        chosen = read_body(BadRowReplaySerializer, request)
        if "ids" in chosen:
            pks = [bad_rows.key_of(text) for text in chosen["ids"]]
            seen = self.rows_of(BadRow).filter(pk__in=pks)
            return Response({"replayed": bad_rows.replay(list(seen.values_list("bucket", "id")))})
        if not scope_of(request).sees(chosen["customer"]):
            raise NotFound
        return Response({"replayed": bad_rows.replay_all(BadRowFilter(chosen, self.rows_of(BadRow)).qs)})
