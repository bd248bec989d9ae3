"""`platforms/{pl}/links/`: addresses for mailings, by which their readers are matched with a platform."""

from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.resource import Resource
from integrations.models import Platform
from usersync.links import MAX_MAILING, BadLinkError, LinkKind
from usersync.services import link_for


class LinkSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField([kind.value for kind in LinkKind], help_text="A link, or the mailing on the web.")
    target = serializers.CharField(help_text="Where the reader goes: https://… or http://…")
    mailing = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=MAX_MAILING, help_text="Kept with the match."
    )

    def to_internal_value(self, data: Any) -> Any:
        unknown = set(data) - set(self.fields) if isinstance(data, dict) else set()
        if unknown:
            raise ValidationError(dict.fromkeys(sorted(unknown), ErrorDetail("There is no such field.", "unknown")))
        return super().to_internal_value(data)


class LinkViewSet(Resource[Platform]):
    queryset = Platform.objects.all()
    serializer_class = LinkSerializer

    @extend_schema(
        request=LinkSerializer,
        responses=OpenApiResponse(inline_serializer("Link", {"url": serializers.CharField()})),
    )
    def create(self, request: Request, pk: str) -> Response:
        """A signed link, to which the mailing appends `?u=` and the contact's id on the platform."""
        platform = self.get_object()
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            return Response({"url": link_for(platform, **serializer.validated_data)})
        except BadLinkError as fault:
            raise ValidationError({fault.field: [ErrorDetail(str(fault), "invalid")]}) from None
