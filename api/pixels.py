"""`pixels/`: where data is collected, and whose user syncs it starts."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema, extend_schema_view, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.attributes import refuse_bad_name
from api.errors import ConflictError
from api.health import HealthField
from api.idempotency import once
from api.resource import (
    ChangedResource,
    CreatedResource,
    DestroyedResource,
    OwnedField,
    ReadableResource,
    customer_field,
)
from api.strict import IdField, SecretShownOnce, StrictSerializer
from audiences.references import audiences_naming
from core.origins import clean_origin
from integrations.models import Platform
from integrations.validation import check_sync_secret
from pipeline.health import reading
from profiles.models import Pixel


class TagRenderer(BaseRenderer):
    media_type = "text/html"
    format = "html"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> Any:
        if isinstance(data, str):
            return data
        return JSONRenderer().render(data, accepted_media_type, renderer_context)


class PixelSerializer(StrictSerializer[Pixel]):
    id = IdField(help_text="What requests carry as “id”. The next free number where none is given.")
    customer = customer_field()
    integrations = OwnedField(
        Platform,
        many=True,
        required=False,
        help_text="The platforms whose user sync this pixel starts, the most important first.",
    )
    signing_secret = serializers.CharField(
        required=False,
        write_only=True,
        validators=[check_sync_secret],
        help_text="Of a signed pixel. Generated where none is given, and shown in that answer only.",
    )
    health = HealthField(reading.of_pixels)
    _generated_secret: str | None = None  # shown by this answer, kept nowhere else
    fixed = ("id", "customer")
    unique = ("id",)

    class Meta:
        model = Pixel
        fields = ["id", "customer", "name", "user_key", "auth", "signing_secret", "origins", "integrations", "health"]
        fields += ["created_at"]

    def to_representation(self, instance: Pixel) -> dict[str, Any]:
        shown = super().to_representation(instance)
        links = sorted(instance.pixelintegration_set.all(), key=lambda link: (-link.priority, link.pk))
        secret = {"signing_secret": self._generated_secret} if self._generated_secret else {}
        return {**shown, "integrations": [link.platform_id for link in links], **secret}

    def validate_user_key(self, path: str) -> str:
        if path:
            refuse_bad_name(path)
        return path

    def validate_origins(self, origins: list[str]) -> list[str]:
        return list(dict.fromkeys(map(clean_origin, origins)))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        customer = self.instance.customer_id if isinstance(self.instance, Pixel) else attrs["customer"].pk
        foreign = [platform.pk for platform in attrs.get("integrations", ()) if platform.customer_id != customer]
        if foreign:
            raise serializers.ValidationError({"integrations": f"belong to another customer: {foreign}"})
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Pixel:
        platforms, secret = validated_data.pop("integrations", []), validated_data.pop("signing_secret", None)
        pixel = Pixel(**validated_data)
        self._generated_secret = pixel.settle_secrets(secret)
        pixel.save()
        integrate(pixel, platforms)
        return pixel

    def update(self, instance: Pixel, validated_data: dict[str, Any]) -> Pixel:
        platforms, secret = validated_data.pop("integrations", None), validated_data.pop("signing_secret", None)
        for name, value in validated_data.items():
            setattr(instance, name, value)
        self._generated_secret = instance.settle_secrets(secret)
        instance.save()
        if platforms is not None:
            integrate(instance, platforms)
        return instance


def integrate(pixel: Pixel, platforms: list[Platform]) -> None:
    """Make these the pixel's platforms, the first with the highest priority."""
    wanted = {platform.pk: len(platforms) - place for place, platform in enumerate(platforms)}
    pixel.pixelintegration_set.exclude(platform__in=wanted).delete()
    for pk, priority in wanted.items():
        pixel.pixelintegration_set.update_or_create(
            defaults={"priority": priority}, platform_id=pk, create_defaults={"priority": priority}
        )


class NewPixelSerializer(PixelSerializer):
    """A pixel whose secret may have been generated by this call."""

    signing_secret = SecretShownOnce()


@extend_schema_view(
    create=extend_schema(responses={201: NewPixelSerializer}),
    partial_update=extend_schema(responses=NewPixelSerializer),
)
class PixelViewSet(CreatedResource[Pixel], ReadableResource[Pixel], ChangedResource[Pixel], DestroyedResource[Pixel]):
    model_class = Pixel
    serializer_class = PixelSerializer
    filterset_fields = ["customer"]
    shown_once = ("signing_secret",)

    @extend_schema(
        request=None,
        responses=OpenApiResponse(inline_serializer("SigningSecret", {"signing_secret": SecretShownOnce()})),
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    @once
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Make a new signing secret, shown in this answer only. The one before stays valid until the next rotation."""
        pixel = self.get_object()
        pixel.refresh_from_db(from_queryset=self.rows_of(Pixel).select_for_update(of=("self",)))
        if pixel.auth != Pixel.Auth.SIGNED:
            raise ConflictError("This pixel is open: it has no secret.")
        secret = pixel.renew_secret()
        pixel.save(update_fields=["signing_secrets"])
        return Response({"signing_secret": secret})

    def get_queryset(self) -> QuerySet[Pixel]:
        return super().get_queryset().prefetch_related("pixelintegration_set")

    def perform_destroy(self, instance: Pixel) -> None:
        users = audiences_naming(instance.customer_id, pixel=instance.pk)
        if users:
            raise ConflictError(f"Audiences count on this pixel: {', '.join(map(str, users))}.")
        instance.delete()

    @extend_schema(responses={(200, "text/html"): OpenApiTypes.STR})
    @action(detail=True, renderer_classes=[TagRenderer, JSONRenderer])
    def tag(self, request: Request, pk: str) -> Response:
        """Return the HTML to paste into pages."""
        return Response(self.get_object().tag, content_type="text/html; charset=utf-8")
