"""`erasures/`: the proof of who was erased, without the data."""

import django_filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.resource import Readable
from pipeline.models import Erasure


class PlatformProofSerializer(serializers.Serializer[dict[str, int]]):
    """Counted in ids of segments."""

    open = serializers.IntegerField(required=False, help_text="The platform still has to remove them.")
    acknowledged = serializers.IntegerField(required=False, help_text="It said that it has removed them.")
    kept = serializers.IntegerField(required=False, help_text="It cannot be told.")
    given_up = serializers.IntegerField(required=False, help_text="It never answered.")


class ErasureSerializer(serializers.ModelSerializer[Erasure]):
    customer = serializers.IntegerField(source="customer_id")
    state = serializers.SerializerMethodField(help_text="erasing, then waiting for platforms, then done.")
    platforms = serializers.SerializerMethodField(help_text="By the platform's number.")

    class Meta:
        model = Erasure
        fields = ["id", "customer", "requested_by", "requested_at", "state", "platforms", "swept_at", "finished_at"]

    def get_state(self, row: Erasure) -> str:
        return row.state

    @extend_schema_field(serializers.DictField(child=PlatformProofSerializer()))
    def get_platforms(self, row: Erasure) -> dict[str, dict[str, int]]:
        return dict(row.platforms)


class ErasureFilter(django_filters.FilterSet):
    customer = django_filters.NumberFilter("customer_id")


class ErasureViewSet(Readable[Erasure]):
    queryset = Erasure.objects.all()
    serializer_class = ErasureSerializer
    filterset_class = ErasureFilter
    ordering = ("-requested_at", "-id")
    lookup_value_regex = "[0-9a-f-]{36}"
