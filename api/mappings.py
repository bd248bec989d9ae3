"""`mappings/`: the match table, listed by platform or by user."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.filters import NumberFilter
from api.mapping_upload import upload
from api.resource import ListedResource
from api.uploads import NDJSON
from core import buckets
from profiles.events.ids import DEVICES
from usersync.models import UserMapping


class MappingSerializer(serializers.ModelSerializer[UserMapping]):
    platform = serializers.IntegerField(source="platform_id")
    customer = serializers.IntegerField(source="customer_id")

    class Meta:
        model = UserMapping
        fields = ["platform", "platform_user_id", "user_id", "customer", "synced_at", "expires_at", "extra"]


Line = inline_serializer(
    "MatchLine",
    {
        "platform": serializers.IntegerField(),
        "platform_user_id": serializers.CharField(help_text="The platform's id of the user."),
        "uuid": serializers.UUIDField(required=False, help_text="Our user id; or one of the following:"),
        "user": serializers.CharField(required=False, help_text="The customer's own user id (the user key)."),
        "pl": serializers.IntegerField(required=False, help_text="With euid: another platform, and its id."),
        "euid": serializers.CharField(required=False),
        **{name: serializers.CharField(required=False) for name in DEVICES},
        "ttl": serializers.IntegerField(required=False, help_text="Days until the match ends."),
        "dc": serializers.CharField(required=False, help_text="The platform's data centre."),
    },
)
Result = inline_serializer(
    "MatchResult",
    {
        "line": serializers.IntegerField(required=False),
        "status": serializers.ChoiceField(["stored", "error"], required=False),
        "message": serializers.CharField(required=False),
        "lines": serializers.IntegerField(required=False, help_text="These three: in the last line."),
        "stored": serializers.IntegerField(required=False),
        "errors": serializers.IntegerField(required=False),
    },
)


class MappingFilter(django_filters.FilterSet):
    platform = NumberFilter("platform_id")
    user_id = django_filters.UUIDFilter(method="of_user")
    customer = NumberFilter("customer_id")

    def of_user(self, rows: QuerySet[UserMapping], name: str, value: Any) -> QuerySet[UserMapping]:
        return rows.filter(**{"bucket": buckets.of_user(value), name: value})


class MappingViewSet(ListedResource[UserMapping]):
    model_class = UserMapping
    serializer_class = MappingSerializer
    filterset_class = MappingFilter
    ordering = ("bucket", "user_id", "platform_id", "platform_user_id")
    personal_actions = ("list",)

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "results", str, enum=["errors", "all"], description="Which lines the answer tells of: bad ones, or all."
            )
        ],
        request={NDJSON: Line},
        responses={(200, NDJSON): Result},
    )
    @action(detail=False, methods=["post"], filterset_class=None, pagination_class=None)
    def upload(self, request: Request) -> HttpResponseBase:
        """Upload a match table: NDJSON of any length, plain or gzip, one match a line.

        A line has `platform`, `platform_user_id`, and one name of the user. Good lines are committed, a few
        thousand at a time, whatever is wrong with others. The answer is NDJSON too: `{"line", "status":
        "error", "message"}` for each bad line and at last `{"lines", "stored", "errors"}`. Uploading a table
        again changes nothing.
        """
        return upload(request)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List matches. Name a `platform` or a `user_id`."""
        if not {"platform", "user_id"} & request.query_params.keys():
            message = ErrorDetail("Name a platform or a user_id.", "required")
            raise ValidationError({"platform": message})
        return super().list(request, *args, **kwargs)
