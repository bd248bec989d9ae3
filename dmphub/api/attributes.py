"""`attributes/`: what the data holds, and what of it audiences may use (the External Attributes service)."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from audiences.attributes import AttributeInUse, set_attribute
from dmphub.api.errors import Conflict, refusals
from dmphub.api.resource import Changed, Created, Readable, customer_field
from dmphub.api.strict import StrictSerializer
from profiles.models import Attribute, AttributeSighting

FIXED_BY_SERVICE: tuple[str, ...] = ("enabled", "type")


class AttributeSerializer(StrictSerializer[Attribute]):
    customer = customer_field()
    last_seen = serializers.SerializerMethodField()
    examples = serializers.SerializerMethodField()
    fixed = ("customer", "path")
    unique = ("customer", "path")

    class Meta:
        model = Attribute
        fields = ["id", "customer", "path", "name", "type", "enabled", "last_seen", "examples"]
        read_only_fields = ["id"]

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_last_seen(self, attribute: Attribute) -> str | None:
        seen = self._sighting(attribute)
        return seen.last_seen.isoformat().replace("+00:00", "Z") if seen else None

    @extend_schema_field(serializers.ListField(child=serializers.JSONField()))
    def get_examples(self, attribute: Attribute) -> list[Any]:
        seen = self._sighting(attribute)
        return list(seen.examples) if seen else []

    def _sighting(self, attribute: Attribute) -> AttributeSighting | None:
        page: dict[int, AttributeSighting] | None = self.context.get("sightings")
        if page is not None:
            return page.get(attribute.pk)
        return AttributeSighting.objects.filter(pk=attribute.pk).first()

    def create(self, validated_data: dict[str, Any]) -> Attribute:
        fixed_by_service = {name: validated_data.pop(name) for name in FIXED_BY_SERVICE if name in validated_data}
        return _set(Attribute.objects.create(**validated_data), fixed_by_service)

    def update(self, instance: Attribute, validated_data: dict[str, Any]) -> Attribute:
        if "name" in validated_data:
            instance.name = validated_data["name"]
            instance.save(update_fields=["name"])
        return _set(instance, validated_data)


def _set(attribute: Attribute, wanted: dict[str, Any]) -> Attribute:
    enabled, kind = wanted.get("enabled"), wanted.get("type")
    if enabled is None and kind is None:
        return attribute
    try:
        with refusals():
            set_attribute(attribute, enabled=enabled, type_=kind)
    except AttributeInUse as error:
        raise Conflict(str(error)) from None
    attribute.refresh_from_db()
    return attribute


class AttributeViewSet(Created[Attribute], Readable[Attribute], Changed[Attribute]):
    queryset = Attribute.objects.all()
    serializer_class = AttributeSerializer
    filterset_fields = ["customer", "enabled", "path", "type"]

    def paginate_queryset(self, queryset: Any) -> list[Any] | None:
        page = super().paginate_queryset(queryset)
        seen = AttributeSighting.objects.in_bulk([row.pk for row in page or ()])
        self.sightings: dict[int, AttributeSighting] = seen
        return list(page or ())

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "sightings": getattr(self, "sightings", None)}
