"""`audiences/`: the rows, and what changes them."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

from api import lookalikes
from api.access import author_of
from api.audience_shapes import WrittenRule
from api.audience_views import AudienceViews
from api.errors import ConflictError, in_use, refusals
from api.exports import AudienceExportViews
from api.lookalikes import LookalikeFields, LookalikeViews
from api.resource import (
    ChangedResource,
    CreatedResource,
    DestroyedResource,
    ProblemField,
    ReadableResource,
    customer_field,
)
from api.static_lists import ListViews
from api.strict import StrictSerializer
from audiences import history, listing, services
from audiences.history import SizeAlert
from audiences.models import Audience
from core.problems import Subject


class AlertSerializer(serializers.Serializer[SizeAlert]):
    since = serializers.DateTimeField()
    before = serializers.IntegerField(help_text="The size then.")
    now = serializers.IntegerField()
    percent = serializers.FloatField(help_text="How far it moved.")


class AudienceSerializer(LookalikeFields, StrictSerializer[Audience]):
    customer = customer_field()
    kind = serializers.ChoiceField(Audience.Kind.choices, required=False)
    rule = WrittenRule(
        required=False, allow_null=True, help_text="The JSON of react-querybuilder: {combinator, not, rules}."
    )
    status = serializers.ChoiceField(
        [*Audience.Status.choices, ("broken", "broken")],
        required=False,
        help_text="Write “paused” to freeze it and “live” to go on. “broken”: it cannot be evaluated (see problem).",
    )
    size = serializers.SerializerMethodField(help_text="How many members it has now.")
    progress = serializers.SerializerMethodField(help_text="How far the present rule is built, 0 to 1.")
    problem = ProblemField(Subject.AUDIENCE)
    alert = serializers.SerializerMethodField(help_text="Set while the size is more than alert_percent off a day ago.")
    alert_percent = serializers.IntegerField(min_value=1, max_value=10_000, allow_null=True, required=False)
    fixed = ("customer", "kind", "seed")
    unique = ("customer", "name")

    class Meta:
        model = Audience
        fields = [
            *("id", "customer", "name", "kind", "rule", "ttl", *lookalikes.NAMES),
            *("status", "problem", "progress", "size", "version", "alert_percent", "alert", "created_at", "updated_at"),
        ]
        read_only_fields = ["id", "version"]

    def get_size(self, audience: Audience) -> int:
        page: dict[int, int] | None = self.context.get("sizes")
        return services.size(audience) if page is None else page.get(audience.pk, 0)

    def get_progress(self, audience: Audience) -> float:
        page: dict[int, float] | None = self.context.get("progress")
        return (services.progress([audience]) if page is None else page).get(audience.pk, 0.0)

    def to_representation(self, instance: Audience) -> dict[str, Any]:
        shown = super().to_representation(instance)
        evaluated = instance.status in {Audience.Status.BUILDING, Audience.Status.LIVE}
        return {**shown, "status": "broken"} if shown["problem"] and evaluated else shown

    @extend_schema_field(AlertSerializer(allow_null=True))
    def get_alert(self, audience: Audience) -> Any:
        page: dict[int, SizeAlert] | None = self.context.get("alerts")
        found = (history.alerts([audience]) if page is None else page).get(audience.pk)
        return None if found is None else AlertSerializer(found).data

    def validate_status(self, value: str) -> str:
        known = self.instance.status if isinstance(self.instance, Audience) else None
        if known is None or (value not in {Audience.Status.PAUSED, Audience.Status.LIVE} and value != known):
            raise ValidationError(ErrorDetail("is set by the hub: write “paused” or “live” to an audience", "invalid"))
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if self.instance is None:
            lookalikes.check_kind(attrs)
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Audience:
        if validated_data.get("kind") == Audience.Kind.LOOKALIKE:
            return lookalikes.create(validated_data, by=self._by())
        if validated_data.get("kind") == Audience.Kind.STATIC:
            alert = validated_data.get("alert_percent")
            return listing.create_static(
                validated_data["customer"], validated_data["name"], by=self._by(), alert_percent=alert
            )
        given = {key: validated_data[key] for key in ("ttl", "alert_percent") if key in validated_data}
        with refusals():
            return services.create_audience(
                *(validated_data[key] for key in ("customer", "name", "rule")), by=self._by(), **given
            )

    def update(self, instance: Audience, validated_data: dict[str, Any]) -> Audience:
        if instance.status == Audience.Status.DELETING:
            raise ConflictError("it is being deleted")
        plain = {key: validated_data[key] for key in ("name", "alert_percent") if key in validated_data}
        for key, value in plain.items():
            setattr(instance, key, value)
        if plain:
            instance.save(update_fields=[*plain, "updated_at"])
        lookalikes.change(instance, validated_data)
        with refusals(), in_use():
            rule, ttl = validated_data.get("rule", instance.rule), validated_data.get("ttl", instance.ttl)
            if (rule, ttl) != (instance.rule, instance.ttl):
                services.change_rule(instance, rule, ttl=ttl, by=self._by())
            self._go(instance, validated_data.get("status", instance.status))
        instance.refresh_from_db()
        return instance

    def _by(self) -> str:
        return author_of(self.context["request"])

    def _go(self, audience: Audience, status: str) -> None:
        if status == Audience.Status.PAUSED and audience.status != status:
            services.pause_audience(audience, by=self._by())
        if status == Audience.Status.LIVE and audience.status == Audience.Status.PAUSED:
            services.resume_audience(audience, by=self._by())


class AudienceViewSet(
    AudienceViews,
    LookalikeViews,
    ListViews,
    AudienceExportViews,
    CreatedResource[Audience],
    ReadableResource[Audience],
    ChangedResource[Audience],
    DestroyedResource[Audience],
):
    model_class = Audience
    serializer_class = AudienceSerializer
    filterset_fields = ["customer", "kind", "name", "status"]

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        page = list(super().paginate_queryset(queryset) or ())
        if self.action == "list":
            keys = [row.pk for row in page]
            self.listed = {
                "sizes": services.sizes(keys),
                "progress": services.progress(page),
                "alerts": history.alerts(page),
            }
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), **getattr(self, "listed", {})}

    def perform_destroy(self, instance: Audience) -> None:
        """Delete the audience: at once where it is sent nowhere, else when every platform has removed its members."""
        with in_use():
            services.begin_deletion(instance, by=author_of(self.request))
            if not instance.activations.exists():
                services.delete_audience(instance)
