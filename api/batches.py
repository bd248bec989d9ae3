"""`batches/`: the delivery log, newest first."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from activation.models import Batch, UploadedFile
from activation.stores import uploaded_files
from api.filters import MomentFilter, NumberFilter
from api.personal import PersonalFields
from api.resource import ListedResource


class FileSerializer(PersonalFields, serializers.ModelSerializer[UploadedFile]):
    personal = ("reason",)
    name = serializers.CharField(source="file_name")

    class Meta:
        model = UploadedFile
        fields = ["name", "fate", "reason", "uploaded_at"]


class BatchListSerializer(serializers.ListSerializer[Any]):
    """Looks up the files of a whole page in one query."""

    def to_representation(self, data: Any) -> list[Any]:
        rows = list(data)
        self._context = {**self.context, "files": uploaded_files.by_batch(row.id for row in rows)}
        return super().to_representation(rows)


class BatchSerializer(PersonalFields, serializers.ModelSerializer[Batch]):
    personal = ("request_excerpt", "response_excerpt", "error")
    platform = serializers.IntegerField(source="platform_id")
    file = serializers.SerializerMethodField(help_text="Of a file: its name, and what the processing log says of it.")

    class Meta:
        model = Batch
        list_serializer_class = BatchListSerializer
        fields = [
            *("id", "platform", "activations", "operation", "status", "rows", "accepted", "requests", "bytes"),
            *("response_status", "request_excerpt", "response_excerpt", "error", "started_at", "finished_at"),
            "file",
        ]

    @extend_schema_field(FileSerializer(allow_null=True))
    def get_file(self, batch: Batch) -> dict[str, Any] | None:
        file: UploadedFile | None = self.context.get("files", {}).get(batch.id)
        return None if file is None else dict(FileSerializer(file, context=self.context).data)


class BatchFilter(django_filters.FilterSet):
    activation = NumberFilter(method="of_activation", label="Requests that carried this activation.")
    platform = NumberFilter("platform_id")
    status = django_filters.ChoiceFilter(choices=Batch.Status.choices)
    started_after = MomentFilter("started_at", "gte")
    started_before = MomentFilter("started_at", "lt")

    def of_activation(self, rows: QuerySet[Batch], name: str, value: Any) -> QuerySet[Batch]:
        return rows.filter(activations__contains=int(value))


class BatchViewSet(ListedResource[Batch]):
    model_class = Batch
    serializer_class = BatchSerializer
    filterset_class = BatchFilter
    ordering = ("-started_at", "-bucket", "-id")
