"""`customers/`: the tenants."""

from typing import Any

from rest_framework.exceptions import PermissionDenied
from rest_framework.serializers import BaseSerializer

from api.access import customer_of
from api.resource import ChangedResource, CreatedResource, ReadableResource, next_after
from api.strict import IdField, StrictSerializer
from core.models import Customer


class CustomerSerializer(StrictSerializer[Customer]):
    m = IdField(help_text="What pixel requests carry as “m”. The next free number where none is given.")
    fixed = ("m",)
    unique = ("m",)

    class Meta:
        model = Customer
        fields = [
            *("m", "name", "consent", "personal_data", "keep_users_days", "keep_activity_days", "keep_logs_days"),
            "created_at",
        ]

    def create(self, validated_data: dict[str, Any]) -> Customer:
        return Customer.objects.create(**{"m": validated_data.pop("m", None) or next_after(Customer), **validated_data})


class CustomerViewSet(CreatedResource[Customer], ReadableResource[Customer], ChangedResource[Customer]):
    queryset = Customer.objects.all()
    serializer_class = CustomerSerializer
    customer_path = "pk"
    for_admins = True

    def perform_create(self, serializer: BaseSerializer[Customer]) -> None:
        if customer_of(self.request) is not None:
            raise PermissionDenied("This key belongs to one customer and cannot add another.")
        serializer.save()
