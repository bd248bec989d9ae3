"""`batches/`: the delivery log, newest first."""

from typing import Any

import django_filters  # type: ignore[import-untyped]  # it ships no types
from django.db.models import QuerySet
from rest_framework import serializers

from activation.models import Batch
from dmphub.api.authentication import customer_of
from dmphub.api.resource import Listed
from integrations.models import Platform


class BatchSerializer(serializers.ModelSerializer[Batch]):
    platform = serializers.IntegerField(source="platform_id")

    class Meta:
        model = Batch
        fields = [
            *("id", "platform", "activations", "operation", "status", "rows", "accepted", "requests", "bytes"),
            *("response_status", "request_excerpt", "response_excerpt", "error", "started_at", "finished_at"),
        ]


class BatchFilter(django_filters.FilterSet):  # type: ignore[misc]  # as above
    activation = django_filters.NumberFilter(method="of_activation", label="Requests that carried this activation.")
    platform = django_filters.NumberFilter("platform_id")
    status = django_filters.ChoiceFilter(choices=Batch.Status.choices)
    started_after = django_filters.IsoDateTimeFilter("started_at", "gte")
    started_before = django_filters.IsoDateTimeFilter("started_at", "lt")

    def of_activation(self, rows: QuerySet[Batch], name: str, value: Any) -> QuerySet[Batch]:  # noqa: ARG002 (django-filter's signature)
        return rows.filter(activations__contains=int(value))


class BatchViewSet(Listed[Batch]):
    queryset = Batch.objects.all()
    serializer_class = BatchSerializer
    filterset_class = BatchFilter
    ordering = ("-started_at", "-bucket", "-id")

    def get_queryset(self) -> QuerySet[Batch]:
        customer = customer_of(self.request)
        if customer is None:
            return Batch.objects.all()
        platforms = Platform.objects.filter(customer=customer).values_list("pk", flat=True)
        return Batch.objects.filter(platform_id__in=list(platforms))
