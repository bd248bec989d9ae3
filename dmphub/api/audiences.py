"""`audiences/`: who belongs."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from audiences import services
from audiences.models import Audience, Membership
from dmphub.api import lookalikes
from dmphub.api.errors import Conflict, refusals
from dmphub.api.lookalikes import LookalikeFields, LookalikeViews
from dmphub.api.resource import Changed, Created, Destroyed, Readable, customer_field
from dmphub.api.strict import StrictSerializer


class AudienceSerializer(LookalikeFields, StrictSerializer[Audience]):
    customer = customer_field()
    kind = serializers.ChoiceField(Audience.Kind.choices, required=False)
    rule = extend_schema_field(OpenApiTypes.OBJECT)(serializers.JSONField)(
        required=False, allow_null=True, help_text="The JSON of react-querybuilder: {combinator, not, rules}."
    )
    status = serializers.ChoiceField(
        Audience.Status.choices, required=False, help_text="Write “paused” to freeze it and “live” to go on."
    )
    size = serializers.SerializerMethodField(help_text="How many members it has now.")
    fixed = ("customer", "kind", "seed")
    unique = ("customer", "name")

    class Meta:
        model = Audience
        fields = [
            *("id", "customer", "name", "kind", "rule", *lookalikes.NAMES),
            *("status", "size", "version", "created_at", "updated_at"),
        ]
        read_only_fields = ["id", "version"]

    def get_size(self, audience: Audience) -> int:
        page: dict[int, int] | None = self.context.get("sizes")
        return services.size(audience) if page is None else page.get(audience.pk, 0)

    def validate_status(self, value: str) -> str:
        if self.instance is None or (value == Audience.Status.BUILDING and value != self._status()):
            raise ValidationError(ErrorDetail("is set by the hub: write “paused” or “live” to an audience", "invalid"))
        return value

    def _status(self) -> str | None:
        return self.instance.status if isinstance(self.instance, Audience) else None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if self.instance is None:
            lookalikes.check_kind(attrs)
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Audience:
        if validated_data.get("kind") == Audience.Kind.LOOKALIKE:
            return lookalikes.create(validated_data)
        with refusals():
            return services.create_audience(validated_data["customer"], validated_data["name"], validated_data["rule"])

    def update(self, instance: Audience, validated_data: dict[str, Any]) -> Audience:
        name = validated_data.get("name", instance.name)
        if name != instance.name:
            instance.name = name
            instance.save(update_fields=["name", "updated_at"])
        lookalikes.change(instance, validated_data)
        with refusals():
            if validated_data.get("rule", instance.rule) != instance.rule:
                services.change_rule(instance, validated_data["rule"])
            _go(instance, validated_data.get("status", instance.status))
        instance.refresh_from_db()
        return instance


def _go(audience: Audience, status: str) -> None:
    if status == Audience.Status.PAUSED and audience.status != status:
        services.pause_audience(audience)
    if status == Audience.Status.LIVE and audience.status == Audience.Status.PAUSED:
        services.resume_audience(audience)


class MemberSerializer(serializers.ModelSerializer[Membership]):
    class Meta:
        model = Membership
        fields = ["user_id", "since"]


class AudienceViewSet(LookalikeViews, Created[Audience], Readable[Audience], Changed[Audience], Destroyed[Audience]):
    queryset = Audience.objects.all()
    serializer_class = AudienceSerializer
    filterset_fields = ["customer", "kind", "name", "status"]

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        page = list(super().paginate_queryset(queryset) or ())
        if self.action == "list":
            self.sizes = services.sizes([row.pk for row in page])
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "sizes": getattr(self, "sizes", None)}

    def perform_destroy(self, instance: Audience) -> None:
        try:
            services.delete_audience(instance)
        except services.AudienceInUse as error:
            raise Conflict(str(error)) from None

    @extend_schema(responses=MemberSerializer(many=True), filters=False)
    @action(detail=True)
    def members(self, request: Request, pk: str) -> Response:  # noqa: ARG002 (DRF's signature)
        """Who is in it now, and since when."""
        audience = self.get_object()
        self.ordering = ("bucket", "user_id")
        rows = Membership.objects.filter(audience_id=audience.pk, member=True)
        return self.get_paginated_response(MemberSerializer(self.paginate_queryset(rows), many=True).data)
