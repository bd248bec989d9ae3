"""`customers/`: the tenants."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.serializers import BaseSerializer

from api.access import author_of, scope_of
from api.resource import ChangedResource, CreatedResource, ReadableResource, next_after
from api.strict import IdField, ObjectField, StrictSerializer
from audiences.services import follow_time_zone
from core.customer_limits import MOST, NAMES, fault_of
from core.models import Customer


@extend_schema_field(
    {
        "type": "object",
        "properties": {name: {"type": "integer", "minimum": 1, "maximum": MOST} for name in NAMES},
        "additionalProperties": False,
    }
)
class LimitsField(ObjectField):
    """What the customer may use, where it is not what every customer may. Only who sees all customers changes it."""

    def to_internal_value(self, data: Any) -> Any:
        if scope_of(self.context["request"]).customers is not None:
            raise PermissionDenied("This key belongs to one customer and cannot change what that may use.")
        faults = {
            name: fault for name, value in super().to_internal_value(data).items() if (fault := fault_of(name, value))
        }
        if faults:
            raise ValidationError(faults)
        return data


class CustomerSerializer(StrictSerializer[Customer]):
    m = IdField(help_text="What pixel requests carry as “m”. The next free number where none is given.")
    limits = LimitsField(required=False, help_text="What is left out is as for every customer.")
    fixed = ("m",)
    unique = ("m",)

    class Meta:
        model = Customer
        fields = [
            *("m", "name", "consent", "personal_data", "keep_users_days", "keep_activity_days", "keep_logs_days"),
            *("nobody_words", "phone_region", "time_zone", "limits", "created_at"),
        ]

    def create(self, validated_data: dict[str, Any]) -> Customer:
        return Customer.objects.create(**{"m": validated_data.pop("m", None) or next_after(Customer), **validated_data})


class CustomerViewSet(CreatedResource[Customer], ReadableResource[Customer], ChangedResource[Customer]):
    model_class = Customer
    serializer_class = CustomerSerializer
    for_admins = True

    def perform_create(self, serializer: BaseSerializer[Customer]) -> None:
        if scope_of(self.request).customers is not None:
            raise PermissionDenied("This key belongs to one customer and cannot add another.")
        serializer.save()

    def perform_update(self, serializer: BaseSerializer[Customer]) -> None:
        """With another time zone, days and dates in rules mean other moments."""
        before = serializer.instance.time_zone if serializer.instance else ""
        customer = serializer.save()
        if customer.time_zone != before:
            follow_time_zone(customer.pk, by=author_of(self.request))
