"""`platforms/`: third parties, how the hub speaks to them, and how their users are matched."""

from inspect import cleandoc
from typing import Any

import msgspec
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiResponse,
    extend_schema,
    extend_schema_field,
    extend_schema_view,
    inline_serializer,
)
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from activation import platform_status
from api.errors import ConflictError, refusals
from api.health import HealthField
from api.idempotency import once
from api.personal import sees_persons
from api.resource import (
    ChangedResource,
    CreatedResource,
    DestroyedResource,
    ProblemField,
    ReadableResource,
    customer_field,
)
from api.strict import IdField, ObjectField, SecretShownOnce, StrictSerializer
from audiences.references import audiences_naming
from core.problems import Subject
from integrations import services
from integrations.connectors.registry import all_connectors
from integrations.limits import check as check_limits
from integrations.models import Platform, new_secret
from integrations.services import replace_sync_secrets, rotate_sync_secret
from integrations.validation import check_connector, check_sync_secret, check_sync_template
from pipeline.health import reading
from pipeline.platform_deletion import delete_platform


class BreakerSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField(["open", "probing", "waiting", "slowed"])
    until = serializers.DateTimeField(allow_null=True, help_text="Before it nothing is sent.")
    failures = serializers.IntegerField(help_text="Failed requests in a row.")
    reason = serializers.CharField()
    per_second = serializers.FloatField(allow_null=True, help_text="Calls a second, lowered for a while.")


class PlatformSerializer(StrictSerializer[Platform]):
    pl = IdField(help_text="What requests carry as “pl”. The next free number where none is given.")
    customer = customer_field()
    settings = ObjectField(required=False)
    credentials = ObjectField(required=False, write_only=True, help_text="Never shown again.")
    limits = ObjectField(required=False)
    sync_secret = serializers.CharField(
        required=False,
        write_only=True,
        validators=[check_sync_secret],
        help_text="Generated where none is given, and shown in that answer only.",
    )
    breaker = serializers.SerializerMethodField(help_text="What keeps requests back; null: nothing does.")
    problem = ProblemField(Subject.PLATFORM)
    health = HealthField(reading.of_platforms)
    host_keys = serializers.SerializerMethodField(help_text="The keys by which its file servers are known.")
    _generated_secret: str | None = None  # shown by this answer, kept nowhere else
    fixed = ("pl", "customer")
    unique = ("pl",)

    class Meta:
        model = Platform
        fields = [
            *("pl", "customer", "name", "connector", "settings", "credentials", "enabled", "sync_template"),
            *("sync_tag", "sync_interval_days", "sync_auth", "sync_secret", "limits", "breaker", "problem", "health"),
            *("host_keys", "created_at"),
        ]
        extra_kwargs = {"sync_interval_days": {"min_value": 1, "max_value": 365}}

    @extend_schema_field(BreakerSerializer(allow_null=True))
    def get_breaker(self, platform: Platform) -> dict[str, Any] | None:
        found = platform_status.breaker(platform)
        return found if found is None or sees_persons(self.context["request"]) else {**found, "reason": ""}

    def get_host_keys(self, platform: Platform) -> dict[str, str]:
        return platform_status.host_keys(platform.pk)

    def to_representation(self, instance: Platform) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {**shown, "sync_secret": self._generated_secret} if self._generated_secret else shown

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        with refusals():
            check_limits(attrs.get("limits", {}))
            if attrs.keys() & {"sync_template", "sync_auth"}:
                self._check_sync(attrs)
            if self.instance is None or attrs.keys() & {"connector", "settings", "credentials"}:
                self._check_connector(attrs)
        return attrs

    def _check_sync(self, attrs: dict[str, Any]) -> None:
        check_sync_template(self._now(attrs, "sync_template", ""), self._now(attrs, "sync_auth", "token"))

    def _check_connector(self, attrs: dict[str, Any]) -> None:
        connector, settings = self._now(attrs, "connector", ""), self._now(attrs, "settings", {})
        check_connector(connector, settings, self._now(attrs, "credentials", {}))

    def _now(self, attrs: dict[str, Any], name: str, default: Any) -> Any:
        return attrs.get(name, getattr(self.instance, name, default))

    def create(self, validated_data: dict[str, Any]) -> Platform:
        given = validated_data.pop("sync_secret", None)
        secrets = [given] if given else new_secret()
        platform = Platform.objects.create(**validated_data, sync_secrets=secrets)
        if not given:
            self._generated_secret = secrets[0]
        return platform

    def update(self, instance: Platform, validated_data: dict[str, Any]) -> Platform:
        given = validated_data.pop("sync_secret", None)
        switched = validated_data.get("sync_auth", instance.sync_auth) != instance.sync_auth
        for name, value in validated_data.items():
            setattr(instance, name, value)
        if switched:
            secret = replace_sync_secrets(instance, given)
            self._generated_secret = None if given else secret
        elif given:
            rotate_sync_secret(instance, given)
        instance.save()
        return instance


class ConnectorSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    description = serializers.CharField()
    notes = serializers.CharField(help_text="What people have to know or do beyond the settings.")
    default_limits = serializers.DictField(help_text="What its documents say; a platform's limits override them.")
    settings_schema = serializers.DictField(help_text="JSON Schema.")
    credentials_schema = serializers.DictField(help_text="JSON Schema.")
    activation_schema = serializers.DictField(help_text="JSON Schema of an activation's settings.")


class NewPlatformSerializer(PlatformSerializer):
    """A platform whose secret may have been generated by this call."""

    sync_secret = SecretShownOnce()


@extend_schema_view(
    create=extend_schema(responses={201: NewPlatformSerializer}),
    partial_update=extend_schema(responses=NewPlatformSerializer),
)
class PlatformViewSet(
    CreatedResource[Platform], ReadableResource[Platform], ChangedResource[Platform], DestroyedResource[Platform]
):
    model_class = Platform
    serializer_class = PlatformSerializer
    filterset_fields = ["customer", "connector", "enabled"]
    shown_once = ("sync_secret",)

    def perform_destroy(self, instance: Platform) -> None:
        users = audiences_naming(instance.customer_id, platform=instance.pk)
        if users:
            raise ConflictError(f"Audiences ask for this platform: {', '.join(map(str, users))}.")
        if instance.activations.exists():
            raise ConflictError("Audiences are activated on this platform.")
        delete_platform(instance)

    @extend_schema(responses=ConnectorSerializer(many=True), filters=False)
    @action(detail=False, pagination_class=None)
    def connectors(self, request: Request) -> Response:
        """List what platforms can be connected to, and what each needs."""
        found = [connector for _, connector in sorted(all_connectors().items())]
        return Response([_described(connector) for connector in found])

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str) -> Response:
        """Ask the platform whether it accepts the hub: `found` says what was found, `asked` 0 that nobody was asked.

        Platforms that take files: connects, compares the host key, logs in, writes and removes a small file.
        """
        platform = self.get_object()
        with refusals():
            return Response(services.check(platform, platform_status.host_keys(platform.pk)))

    @extend_schema(
        request=None,
        responses=OpenApiResponse(inline_serializer("SyncSecret", {"sync_secret": SecretShownOnce()})),
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    @once
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Make a new sync secret, shown in this answer only. The one before stays valid until the next rotation."""
        platform = self.get_queryset().select_for_update().filter(pk=pk).first() or self.get_object()
        secret = rotate_sync_secret(platform)
        platform.save(update_fields=["sync_secrets"])
        return Response({"sync_secret": secret})


def _described(connector: Any) -> dict[str, Any]:
    return {
        "key": connector.key,
        "title": connector.title,
        "description": connector.description,
        "notes": cleandoc(connector.notes),
        "default_limits": msgspec.to_builtins(connector.default_limits),
        "settings_schema": connector.settings_schema(),
        "credentials_schema": connector.credentials_schema(),
        "activation_schema": connector.activation_schema(),
    }
