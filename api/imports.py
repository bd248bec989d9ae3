"""`imports/`: files of profiles, on their way in."""

from collections.abc import Callable

from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from api.authentication import customer_of
from api.errors import ConflictError
from api.idempotency import once
from api.import_upload import upload
from api.mapping_upload import NDJSON
from api.resource import Readable
from pipeline.imports import files, services
from pipeline.models import Import
from profiles.models import Pixel

BODIES = ("text/csv", NDJSON, "application/vnd.apache.parquet", "application/octet-stream")


class ImportSerializer(serializers.ModelSerializer[Import]):
    rows = serializers.IntegerField(source="position", help_text="How many rows of the file are dealt with.")
    stored = serializers.IntegerField(help_text="… are in the inbox; of a dry run: would be.")
    refused = serializers.IntegerField(source="errors", help_text="… cannot be used: `{id}/errors/` tells why.")
    read = serializers.IntegerField(help_text="Of the file's `size` bytes.")

    class Meta:
        model = Import
        fields = [
            "id",
            "customer",
            "pixel",
            "name",
            "format",
            "dry_run",
            "status",
            "size",
            "read",
            "rows",
            "stored",
            "refused",
            "report",
            "error",
            "created_at",
            "finished_at",
        ]
        read_only_fields = fields


@extend_schema_view(list=extend_schema(description="Newest first."))
class ImportViewSet(Readable[Import]):
    queryset = Import.objects.all()
    serializer_class = ImportSerializer
    filterset_fields = ["customer", "pixel", "status", "dry_run"]
    ordering = ("-id",)

    @extend_schema(
        parameters=[
            OpenApiParameter("pixel", int, required=True, description="Its user key names the users of the file."),
            OpenApiParameter("name", str, required=True, description="The file's: .csv, .ndjson, .parquet, also .gz"),
            OpenApiParameter("dry_run", bool, description="Store nothing, say what would change."),
        ],
        request=dict.fromkeys(BODIES, OpenApiTypes.BINARY),
        responses={201: ImportSerializer},
    )
    def create(self, request: Request) -> Response:
        """Upload a file, as the body. It is imported once it is here; its progress is to be read at `{id}/`."""
        pixels = Pixel.objects.all()
        customer = customer_of(request)
        if customer is not None:
            pixels = pixels.filter(customer_id=customer)
        row = upload(request, {str(pixel.pk): pixel for pixel in pixels})
        return Response(self.get_serializer(row).data, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    @once
    def start(self, request: Request, pk: str) -> Response:
        """Import in earnest what a dry run has looked at."""
        return self._do(services.start)

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    @once
    def cancel(self, request: Request, pk: str) -> Response:
        """Read no further. What is in the inbox stays."""
        return self._do(services.cancel)

    @extend_schema(responses={(200, NDJSON): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"], pagination_class=None, filterset_fields=[])
    def errors(self, request: Request, pk: str) -> HttpResponseBase:
        """What is wrong with which rows: NDJSON, `{"row", "message"}` a line. Kept for 30 days after the end."""
        row = self.get_object()
        file, name = files.open_errors(row), files.errors_name(row)
        return FileResponse(file, as_attachment=True, filename=name, content_type=NDJSON)

    def _do(self, change: Callable[[Import], object]) -> Response:
        row = self.get_object()
        try:
            change(row)
        except services.UnsuitableFileError as why:
            raise ConflictError(str(why)) from None
        return Response(self.get_serializer(row).data)
