"""`attributes/`: what the data holds, and which of it audiences may use (the External Attributes service)."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.access import customer_named
from api.errors import ConflictError, refusals
from api.personal import PersonalFields
from api.resource import ChangedResource, CreatedResource, ProblemField, ReadableResource, customer_field
from api.strict import StrictSerializer
from audiences.attributes import AttributeInUseError, set_attribute
from core.problems import Subject
from profiles import attribute_catalogue
from profiles.models import Attribute, AttributeStatistics, NobodyCount
from profiles.paths import check_name

FIXED_BY_SERVICE: tuple[str, ...] = ("enabled", "type", "personal", "sensitive")


def refuse_bad_name(path: str) -> None:
    """Raises ValidationError where no attribute may have this path."""
    try:
        check_name(path)
    except ValueError as error:
        raise serializers.ValidationError(str(error)) from None


class AttributeSerializer(PersonalFields, StrictSerializer[Attribute]):
    personal = ("examples",)
    customer = customer_field()
    first_seen = serializers.SerializerMethodField()
    last_seen = serializers.SerializerMethodField()
    share = serializers.SerializerMethodField(
        help_text="Of the customer's events with data, how many held it; counted on a sample when there are many."
    )
    problem = ProblemField(Subject.ATTRIBUTE)
    examples = serializers.SerializerMethodField()
    fixed = ("customer", "path")
    unique = ("customer", "path")

    class Meta:
        model = Attribute
        fields = [
            *("id", "customer", "path", "name", "type", "fixed", "enabled", "personal", "sensitive"),
            *("problem", "first_seen", "last_seen", "share", "examples"),
        ]
        read_only_fields = ["id", "fixed"]

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_last_seen(self, attribute: Attribute) -> str | None:
        seen = self._sighting(attribute)
        return _text(seen.last_seen) if seen else None

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_first_seen(self, attribute: Attribute) -> str | None:
        seen = self._sighting(attribute)
        return _text(seen.first_seen) if seen else None

    @extend_schema_field(serializers.FloatField(allow_null=True))
    def get_share(self, attribute: Attribute) -> float | None:
        events: dict[int, int] | None = self.context.get("events")
        if events is None:
            events = attribute_catalogue.events_by_customer([attribute.customer_id])
        return attribute_catalogue.share(self._sighting(attribute), events.get(attribute.customer_id, 0))

    @extend_schema_field(serializers.ListField(child=serializers.JSONField()))
    def get_examples(self, attribute: Attribute) -> list[Any]:
        seen = self._sighting(attribute)
        return list(seen.examples) if seen else []

    def _sighting(self, attribute: Attribute) -> AttributeStatistics | None:
        page: dict[int, AttributeStatistics] | None = self.context.get("sightings")
        if page is not None:
            return page.get(attribute.pk)
        return attribute_catalogue.statistics_of(attribute)

    def validate_path(self, path: str) -> str:
        if self.instance is None:  # the path of one that exists may be sent back, whatever it is
            refuse_bad_name(path)
        return path

    def create(self, validated_data: dict[str, Any]) -> Attribute:
        fixed_by_service = {name: validated_data.pop(name) for name in FIXED_BY_SERVICE if name in validated_data}
        return _set(Attribute.objects.create(**validated_data), fixed_by_service)

    def update(self, instance: Attribute, validated_data: dict[str, Any]) -> Attribute:
        if "name" in validated_data:
            instance.name = validated_data["name"]
            instance.save(update_fields=["name"])
        return _set(instance, validated_data)


def _set(attribute: Attribute, wanted: dict[str, Any]) -> Attribute:
    enabled, kind, personal, sensitive = (wanted.get(name) for name in FIXED_BY_SERVICE)
    if (enabled, kind, personal, sensitive) == (None,) * 4:
        return attribute
    try:
        with refusals():
            set_attribute(attribute, enabled=enabled, type_=kind, personal=personal, sensitive=sensitive)
    except AttributeInUseError as error:
        raise ConflictError(str(error)) from None
    attribute.refresh_from_db()
    return attribute


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


class CustomerExcessSerializer(serializers.Serializer[Any]):
    """What profiles had no room for, ever."""

    events = serializers.IntegerField()
    attributes = serializers.IntegerField()
    bytes = serializers.IntegerField()
    last_at = serializers.DateTimeField()


class NobodySerializer(serializers.ModelSerializer[NobodyCount]):
    pixel = serializers.IntegerField(source="pixel_id")

    class Meta:
        model = NobodyCount
        fields = ["pixel", "kind", "why", "times", "examples", "first_at", "last_at"]


class SummarySerializer(serializers.Serializer[attribute_catalogue.CatalogueSummary]):
    """How much of a customer's data is catalogued, and for how much profiles had no room.

    `left_out`: about how many paths there were beyond `most`.
    """

    events = serializers.IntegerField()
    catalogued = serializers.IntegerField()
    most = serializers.IntegerField()
    left_out = serializers.IntegerField()
    left_out_at = serializers.DateTimeField(allow_null=True)
    nobody = NobodySerializer(many=True)
    excess = CustomerExcessSerializer(allow_null=True)


class AttributeViewSet(CreatedResource[Attribute], ReadableResource[Attribute], ChangedResource[Attribute]):
    model_class = Attribute
    serializer_class = AttributeSerializer
    filterset_fields = ["customer", "enabled", "path", "type"]

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        page = super().paginate_queryset(queryset)
        seen = self.rows_of(AttributeStatistics).in_bulk([row.pk for row in page or ()])
        self.found: dict[str, Any] = {
            "sightings": seen,
            "events": attribute_catalogue.events_by_customer(row.customer_id for row in page or ()),
        }
        return list(page or ())

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), **getattr(self, "found", {})}

    @extend_schema(
        parameters=[OpenApiParameter("customer", int, description="Needed unless the key has one.")],
        responses=SummarySerializer,
    )
    @action(detail=False, pagination_class=None, filterset_fields=None)
    def summary(self, request: Request) -> Response:
        """Count the paths of the customer's data, and those that found no room in the catalogue."""
        return Response(SummarySerializer(attribute_catalogue.summary(customer_named(request))).data)
