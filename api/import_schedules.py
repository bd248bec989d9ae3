"""`imports/schedules/`: files that are fetched from a platform of files, again and again, and imported, each once."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.idempotency import once
from api.import_options import OPTIONS, OptionFields, changed_options
from api.resource import (
    ChangedResource,
    CreatedResource,
    DestroyedResource,
    OwnedField,
    ReadableResource,
    customer_field,
)
from api.strict import StrictSerializer
from core import audit, clock
from integrations.errors import IntegrationError
from integrations.models import Platform
from pipeline.imports.schedules import place_of
from pipeline.models import ImportSchedule
from profiles.models import Pixel


class ImportScheduleSerializer(OptionFields, StrictSerializer[ImportSchedule]):
    customer = customer_field()
    pixel = OwnedField(Pixel, help_text="Its user key names the users of the files.")
    platform = OwnedField(Platform, help_text="Where the files lie: its connector is `file`.")
    fixed = ("customer", "platform")

    class Meta:
        model = ImportSchedule
        fields = [
            *("id", "customer", "pixel", "platform", "name", "pattern", *OPTIONS, "interval_minutes", "enabled"),
            *("due_at", "looked_at", "error", "created_at"),
        ]
        read_only_fields = ["due_at", "looked_at", "error", "created_at"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = {name: attrs.pop(name) for name in OPTIONS if name in attrs}
        attrs = super().validate(attrs)
        instance = self.instance if isinstance(self.instance, ImportSchedule) else None
        customer = instance.customer_id if instance else attrs["customer"].pk
        for name in ("pixel", "platform"):
            if name in attrs and attrs[name].customer_id != customer:
                raise ValidationError({name: ErrorDetail("belongs to another customer", "invalid")})
        if instance is None:
            try:
                place_of(ImportSchedule(platform=attrs["platform"]))
            except IntegrationError as error:
                raise ValidationError({"platform": ErrorDetail(str(error), "invalid")}) from None
            attrs["due_at"] = clock.now()
        return {**attrs, "options": changed_options(instance.options if instance else {}, given).stored()}


class ImportScheduleViewSet(
    CreatedResource[ImportSchedule],
    ReadableResource[ImportSchedule],
    ChangedResource[ImportSchedule],
    DestroyedResource[ImportSchedule],
):
    """Repeated imports: each file is imported once, by its name and its content."""

    model_class = ImportSchedule
    serializer_class = ImportScheduleSerializer
    filterset_fields = ["customer", "platform"]

    @extend_schema(request=None, responses=ImportScheduleSerializer)
    @action(detail=True, methods=["post"])
    @once
    def run(self, request: Request, pk: str) -> Response:
        """Look for new files as soon as the importer can."""
        row = self.get_object()
        row.due_at = clock.now()
        row.save(update_fields=["due_at"])
        audit.record("run", "import_schedule", row.pk, row.name, customer=row.customer_id)
        return Response(self.get_serializer(row).data)
