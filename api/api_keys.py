"""`api-keys/`: the keys that machines use. Only admins see and change them."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.access import scope_of
from api.errors import ConflictError
from api.idempotency import once
from api.resource import ChangedResource, CreatedResource, DestroyedResource, ReadableResource, customer_field
from api.strict import SecretShownOnce, StrictBody, StrictSerializer, read_body
from core import clock
from core.key_changes import MOST_OVERLAP, RevokedKeyError, revoke, rotate
from core.models import ApiKey
from core.people.last_admin import admin_remains

OVERLAP_HOURS = 24
MOST_OVERLAP_HOURS = MOST_OVERLAP // timedelta(hours=1)


class KeyUseSerializer(serializers.Serializer[Any]):
    address = serializers.CharField()
    used_at = serializers.DateTimeField()


class ApiKeySerializer(StrictSerializer[ApiKey]):
    customer = customer_field(
        required=False, allow_null=True, help_text="The only customer whose data it sees; null: every customer's."
    )
    status = serializers.SerializerMethodField()
    last_used_at = serializers.SerializerMethodField()
    uses = serializers.SerializerMethodField(help_text="When it was last used from each address, the newest first.")
    _secret: str | None = None  # shown by the answer that makes it, kept nowhere else
    fixed = ("role", "customer")

    class Meta:
        model = ApiKey
        fields = [
            *("id", "name", "prefix", "role", "customer", "status", "expires_at", "allowed_addresses"),
            *("previous_until", "last_used_at", "uses", "revoked_at", "created_at"),
        ]
        read_only_fields = ["id", "prefix", "previous_until", "revoked_at"]
        extra_kwargs = {"role": {"required": True}}

    @extend_schema_field(serializers.ChoiceField(["valid", "expired", "revoked"]))
    def get_status(self, key: ApiKey) -> str:
        return key.state(clock.now())

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_last_used_at(self, key: ApiKey) -> Any:
        uses = self.get_uses(key)
        return uses[0]["used_at"] if uses else None

    @extend_schema_field(KeyUseSerializer(many=True))
    def get_uses(self, key: ApiKey) -> list[Any]:
        uses = sorted(key.uses.all(), key=lambda use: use.used_at, reverse=True)
        return list(KeyUseSerializer(uses, many=True).data)

    def to_representation(self, instance: ApiKey) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {**shown, "key": self._secret} if self._secret else shown

    def validate_expires_at(self, moment: datetime | None) -> datetime | None:
        if moment is not None and moment <= clock.now():
            raise ValidationError("must be in the future; to end a key now, delete it")
        return moment

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A key that belongs to a customer makes keys of that customer only."""
        bound = scope_of(self.context["request"]).customers is not None
        if self.instance is None and bound and attrs.get("customer") is None:
            raise ValidationError({"customer": ErrorDetail("must be the customer of this key", "required")})
        return super().validate(attrs)

    def create(self, validated_data: dict[str, Any]) -> ApiKey:
        row, self._secret = ApiKey.issue(**{"customer": None, **validated_data})
        return row


class RotationBody(StrictBody):
    overlap_hours = serializers.IntegerField(
        default=OVERLAP_HOURS,
        min_value=0,
        max_value=MOST_OVERLAP_HOURS,
        help_text="So long the secret before stays valid.",
    )


class IssuedKeySerializer(ApiKeySerializer):
    """The answer that makes a secret: nothing else ever shows it."""

    key = SecretShownOnce()

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "key"]


@extend_schema_view(create=extend_schema(responses={201: IssuedKeySerializer}))
class ApiKeyViewSet(
    CreatedResource[ApiKey], ReadableResource[ApiKey], ChangedResource[ApiKey], DestroyedResource[ApiKey]
):
    """The secret is shown once, as `key`, by the answer that makes it."""

    model_class = ApiKey
    serializer_class = ApiKeySerializer
    filterset_fields = ["customer", "role"]
    shown_once = ("key",)
    admins_only = True

    def get_queryset(self) -> QuerySet[ApiKey]:
        return super().get_queryset().prefetch_related("uses")

    @extend_schema(request=RotationBody, responses=IssuedKeySerializer)
    @action(detail=True, methods=["post"])
    @once
    def rotate(self, request: Request, pk: str) -> Response:
        """Make a new secret, shown in this answer only. The one before stays valid for the overlap."""
        hours = read_body(RotationBody, request)["overlap_hours"]
        key = self.get_object()
        try:
            secret = rotate(key, timedelta(hours=hours))
        except RevokedKeyError as error:
            raise ConflictError(str(error)) from None
        return Response({**self.get_serializer(key).data, "key": secret})

    def perform_update(self, serializer: serializers.BaseSerializer[ApiKey]) -> None:
        """Save the key, unless it is the last admin's and would end."""
        with admin_remains():
            super().perform_update(serializer)

    def perform_destroy(self, instance: ApiKey) -> None:
        """Revoke the key: it is refused from now on, and stays in the list."""
        revoke(instance)
