"""`hot-ids/`: ids that would have given a user more ids than a person has, and were set aside instead of merging."""

from rest_framework import serializers

from api.resource import Listed
from profiles.models import SharedId


class HotIdSerializer(serializers.ModelSerializer[SharedId]):
    customer = serializers.IntegerField(source="customer_id")

    class Meta:
        model = SharedId
        fields = ["customer", "user_id", "kind", "value", "times", "first_at", "last_at"]


class HotIdViewSet(Listed[SharedId]):
    queryset = SharedId.objects.all()
    serializer_class = HotIdSerializer
    filterset_fields = ["kind"]
    ordering = ("bucket", "customer_id", "user_id", "kind", "value")
