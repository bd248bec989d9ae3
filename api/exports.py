"""`exports/`: files of an audience's members, once or on a schedule. `audiences/{id}/export/` streams one."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from django.http import FileResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from api.access import author_of
from api.errors import ConflictError, refusals
from api.idempotency import once
from api.resource import (
    ChangedResource,
    CreatedResource,
    DestroyedResource,
    OwnedField,
    ReadableResource,
    Resource,
)
from api.strict import StrictSerializer, parameters_of
from api.uploads import owner_of, upload_place
from audiences.models import Audience
from core import audit
from core.extras import MissingExtraError
from integrations.models import Platform
from pipeline.exports import files, formats, services
from pipeline.exports.columns import UnknownFieldError, columns_of
from pipeline.exports.formats import MEDIA_TYPES
from pipeline.exports.reading import pages_of
from pipeline.models import Export, ExportRun


class ExportCsvRenderer(JSONRenderer):
    """Names the format; refusals are JSON."""

    media_type = "text/csv"  # with a parameter it would fit no `Accept`
    format = "csv"


class ExportParquetRenderer(JSONRenderer):
    media_type = MEDIA_TYPES["parquet"]
    format = "parquet"


class ExportStream:
    """The pieces of a file. It holds one of the caller's places until it is closed, which every server does."""

    def __init__(self, pieces: Iterator[bytes], places: ExitStack) -> None:
        self._pieces, self._places = pieces, places

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        self._places.close()


class AudienceExportViews(Resource[Audience]):
    @extend_schema(
        parameters=[
            OpenApiParameter("format", str, enum=["csv", "parquet"], description="csv where left out"),
            OpenApiParameter("fields", str, description="By commas: user_id (also where left out), since, attribute.…"),
        ],
        responses={(200, media): OpenApiTypes.BINARY for media in MEDIA_TYPES.values()},
        filters=False,
    )
    @action(
        detail=True,
        pagination_class=None,
        filterset_fields=None,
        renderer_classes=[ExportCsvRenderer, ExportParquetRenderer],
    )
    def export(self, request: Request, pk: str) -> StreamingHttpResponse:
        """Download the members, read a page at a time: who enters or leaves meanwhile may be in the file or not."""
        audience = self.get_object()
        given = parameters_of(request, "format", "fields")
        chosen = request.accepted_renderer.format
        names = [name for name in given.get("fields", "").split(",") if name]
        try:
            columns = columns_of(audience.customer, names)
            services.check_format(chosen)
        except UnknownFieldError as error:
            raise ValidationError({"fields": str(error)}) from None
        except MissingExtraError as error:
            raise ConflictError(str(error)) from None
        places = ExitStack()
        places.enter_context(upload_place(owner_of(request)))
        after = {"format": chosen, "fields": [column.name for column in columns]}
        audit.record("export", "audience", audience.pk, audience.name, customer=audience.customer_id, after=after)
        pieces = formats.write(chosen, columns, lambda: pages_of(audience, columns))
        name = f'attachment; filename="audience-{audience.pk}.{chosen}"'
        stream: Any = ExportStream(pieces, places)
        return StreamingHttpResponse(stream, content_type=MEDIA_TYPES[chosen], headers={"Content-Disposition": name})


class ExportRunSerializer(serializers.ModelSerializer[ExportRun]):
    kept = serializers.BooleanField(help_text="It can be downloaded.")

    class Meta:
        model = ExportRun
        fields = ["id", "slot", "status", "attempts", "rows", "bytes", "file_name", "kept", "error", "finished_at"]
        read_only_fields = fields


class ExportSerializer(StrictSerializer[Export]):
    audience = OwnedField(Audience)
    platform = OwnedField(
        Platform,
        required=False,
        allow_null=True,
        help_text="A platform that takes files, where they are put; null: they are kept to be downloaded.",
    )
    every_minutes = serializers.IntegerField(
        min_value=services.LEAST_MINUTES,
        max_value=services.MOST_MINUTES,
        required=False,
        allow_null=True,
        help_text="Between two files; null: once.",
    )
    starts_at = serializers.DateTimeField(required=False, help_text="When the first file is due; now where left out.")
    due_at = serializers.DateTimeField(read_only=True, help_text="When the next file is due.")
    paused = serializers.BooleanField(required=False)
    fixed = ("audience", "platform")

    class Meta:
        model = Export
        fields = [
            *("id", "customer", "audience", "name", "format", "fields", "platform", "every_minutes", "starts_at"),
            *("paused", "due_at", "created_by"),
        ]
        read_only_fields = ["id", "customer", "due_at", "created_by"]
        extra_kwargs = {
            "fields": {"help_text": "user_id (where left out), since, attribute.<path>, dimension.<name>."},
        }

    def create(self, validated_data: dict[str, Any]) -> Export:
        values = {**validated_data}
        audience, platform = values.pop("audience"), values.pop("platform", None)
        with refusals():
            return services.create(audience, values, platform, by=author_of(self.context["request"]))

    def update(self, instance: Export, validated_data: dict[str, Any]) -> Export:
        with refusals():
            services.change(instance, validated_data)
        return instance


class ExportViewSet(
    CreatedResource[Export],
    ReadableResource[Export],
    ChangedResource[Export],
    DestroyedResource[Export],
):
    model_class = Export
    serializer_class = ExportSerializer
    filterset_fields = ["customer", "audience", "platform", "paused"]
    personal_actions = ("download",)

    def perform_destroy(self, instance: Export) -> None:
        """Delete the export, with the files of it that are with the hub."""
        services.delete(instance)

    @extend_schema(request=None, responses={202: ExportRunSerializer}, filters=False)
    @action(detail=True, methods=["post"], pagination_class=None, filterset_fields=None)
    @once
    def run(self, request: Request, pk: str) -> Response:
        """Have a file made now, beside the schedule."""
        made = services.run_now(self.get_object())
        return Response(ExportRunSerializer(made).data, status.HTTP_202_ACCEPTED)

    @extend_schema(responses=ExportRunSerializer(many=True), filters=False)
    @action(detail=True)
    def runs(self, request: Request, pk: str) -> Response:
        """List the files that were made, or could not be; the newest first."""
        export = self.get_object()
        self.ordering: tuple[str, ...] = ("-id",)
        rows: Any = self.rows_of(ExportRun).filter(export=export)
        return self.get_paginated_response(ExportRunSerializer(self.paginate_queryset(rows), many=True).data)

    @extend_schema(
        parameters=[OpenApiParameter("run", int, OpenApiParameter.QUERY, description="The newest where left out.")],
        responses={(200, media): OpenApiTypes.BINARY for media in MEDIA_TYPES.values()},
        filters=False,
    )
    @action(detail=True, pagination_class=None, filterset_fields=None)
    def download(self, request: Request, pk: str) -> HttpResponseBase:
        """Download a file that is kept."""
        export = self.get_object()
        number = parameters_of(request, "run").get("run")
        rows = self.rows_of(ExportRun).filter(export=export, kept=True, status=ExportRun.Status.DONE).order_by("-id")
        if number is not None:
            rows = rows.filter(pk=int(number)) if number.isdecimal() and len(number) < 19 else rows.none()
        return download_of(rows.first(), export)


def download_of(run: ExportRun | None, export: Export) -> FileResponse:
    """Return the file of a run. Raises NotFound where it is not kept any more."""
    path = None if run is None else files.kept_file(export.customer_id, run.pk)
    if run is None or path is None or not path.exists():
        raise NotFound("There is no such file, or it is not kept any more.")
    after = {"run": run.pk, "fields": export.fields}
    audit.record("download", "export", export.pk, export.name, customer=export.customer_id, after=after)
    media = MEDIA_TYPES[export.format]
    return FileResponse(path.open("rb"), as_attachment=True, filename=run.file_name, content_type=media)
