"""`platforms/{pl}/publish/`: taxonomies and data segments, by which buyers come to see segments."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from activation.publishing import publication, publish
from api.errors import refusals
from api.resource import Resource
from api.strict import ObjectField
from integrations.errors import IntegrationError
from integrations.models import Platform
from integrations.previews import request_text


class PublishSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="For MediaMath S2S: taxonomy or data_segment.")
    order = ObjectField(help_text="What it says; docs/connectors has the fields.")
    preview = serializers.BooleanField(default=False, help_text="Show the request, secrets masked, and send nothing.")

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        if unknown:
            raise ValidationError(dict.fromkeys(sorted(unknown), ErrorDetail("There is no such field.", "unknown")))
        return super().to_internal_value(data)


ANSWER = inline_serializer(
    "Published",
    {
        "request": serializers.CharField(),
        "status": serializers.IntegerField(allow_null=True, help_text="Null: nothing was sent."),
        "answer": serializers.CharField(),
    },
)


class PublishViewSet(Resource[Platform]):
    queryset = Platform.objects.all()
    serializer_class = PublishSerializer

    @extend_schema(request=PublishSerializer, responses=OpenApiResponse(ANSWER))
    def create(self, request: Request, pk: str) -> Response:
        """Publish the platform's segments, as they are named and numbered now."""
        platform = self.get_object()
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        with refusals():
            made = publication(platform, given["kind"], given["order"])
        if given["preview"]:
            return Response({"request": request_text(made), "status": None, "answer": ""})
        try:
            answer = publish(platform, made)
        except IntegrationError as failure:
            raise ValidationError({"order": [ErrorDetail(str(failure), "refused")]}) from None
        return Response({"request": request_text(made), "status": answer.status, "answer": answer.excerpt})
