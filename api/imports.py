"""`imports/`: files of profiles. They are uploaded as a request's body and kept until they are imported."""

from collections.abc import Callable, Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import FileResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ConflictError
from api.health import HealthField
from api.idempotency import once
from api.import_options import (
    OPTIONS,
    OptionFields,
    OptionsBody,
    asked_options,
    changed_options,
    given_options,
    option_faults,
)
from api.resource import ReadableResource
from api.strict import unknown_parameters
from api.uploads import NDJSON, Read, body_reader, owner_of, upload_place
from core.errors import InputTooLargeError
from pipeline.health import reading
from pipeline.imports import files, services
from pipeline.imports.errors import ImportStateError, UnreadableFileError
from pipeline.imports.files import draft_of
from pipeline.imports.formats import format_of
from pipeline.imports.lists import check_list
from pipeline.models import Import, ImportTemplate
from profiles.models import Pixel

BODIES = ("text/csv", NDJSON, "application/vnd.apache.parquet", "application/octet-stream")
CHUNK = 256 * 1024
PARAMETERS = {"pixel", "name", "dry_run", "template", *OPTIONS}
FLAGS = {"0": False, "1": True, "false": False, "true": True}


class FileTooLargeError(APIException):
    status_code = 413
    default_code = "too_large"


class ImportSerializer(OptionFields, serializers.ModelSerializer[Import]):
    rows = serializers.IntegerField(source="position", help_text="How many rows of the file are dealt with.")
    stored = serializers.IntegerField(help_text="… are in the inbox; of a dry run: would be.")
    refused = serializers.IntegerField(source="errors", help_text="… cannot be used: `{id}/errors/` tells why.")
    read = serializers.IntegerField(help_text="Of the file's `size` bytes.")

    health = HealthField(reading.of_imports)

    class Meta:
        model = Import
        fields = [
            *("id", "customer", "pixel", "name", "format", *OPTIONS, "dry_run", "status", "size", "read", "rows"),
            *("stored", "refused", "health", "report", "error", "created_at", "finished_at"),
        ]
        read_only_fields = fields


class SampleRow(serializers.Serializer[Any]):
    """A row as it would be kept."""

    row = serializers.IntegerField()
    line = serializers.IntegerField(help_text="Where it begins in the file.")
    ids = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))
    at = serializers.DateTimeField()
    last_seen = serializers.DateTimeField(allow_null=True)
    dimensions = serializers.DictField()
    attributes = serializers.DictField()


@extend_schema_view(list=extend_schema(description="Newest first."))
class ImportViewSet(ReadableResource[Import]):
    model_class = Import
    serializer_class = ImportSerializer
    filterset_fields = ["customer", "pixel", "status", "dry_run"]
    ordering = ("-id",)
    personal_actions = ("errors", "sample")

    @extend_schema(
        parameters=[
            OpenApiParameter("pixel", int, required=True, description="Its user key names the users of the file."),
            OpenApiParameter("name", str, required=True, description="The file's: .csv, .ndjson, .parquet, also .gz"),
            OpenApiParameter("dry_run", bool, description="Store nothing, say what would change."),
            OpenApiParameter("template", int, description="Read it as this template says; other parameters go before."),
            *[OpenApiParameter(name, str, description=text) for name, text in OPTIONS.items()],
        ],
        request=dict.fromkeys(BODIES, OpenApiTypes.BINARY),
        responses={201: ImportSerializer},
    )
    def create(self, request: Request) -> Response:
        """Upload a file, as the body. It is imported once it has arrived; `{id}/` shows the progress."""
        pixels = {str(pixel.pk): pixel for pixel in self.rows_of(Pixel)}
        row = _upload(request, pixels, self.rows_of(ImportTemplate))
        return Response(self.get_serializer(row).data, status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    @once
    def start(self, request: Request, pk: str) -> Response:
        """Import a file that a dry run has looked at."""
        return self._do(services.start)

    @extend_schema(request=OptionsBody, responses=ImportSerializer)
    @action(detail=True, methods=["post"], url_path="look-again")
    @once
    def look_again(self, request: Request, pk: str) -> Response:
        """Look once more at the file of a dry run, read in another way. An option that is left out stays as it is."""
        given = given_options(request)
        return self._do(lambda row: services.look_again(row, changed_options(row.options, given)))

    @extend_schema(responses=SampleRow(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filterset_fields=[])
    def sample(self, request: Request, pk: str) -> Response:
        """Return ten rows as the dry run found that they would be kept. Kept as long as the uploaded file is."""
        return Response(files.read_sample(self.get_object().pk))

    @extend_schema(request=None, responses=ImportSerializer)
    @action(detail=True, methods=["post"])
    @once
    def cancel(self, request: Request, pk: str) -> Response:
        """Stop reading the file. Rows that are in the inbox stay."""
        return self._do(services.cancel)

    @extend_schema(responses={(200, NDJSON): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"], pagination_class=None, filterset_fields=[])
    def errors(self, request: Request, pk: str) -> HttpResponseBase:
        """Download what is wrong with which rows: NDJSON, `{"row", "line", "message"}` a line. Kept for 30 days."""
        row = self.get_object()
        file, name = files.open_errors(row), files.errors_name(row)
        return FileResponse(file, as_attachment=True, filename=name, content_type=NDJSON)

    def _do(self, change: Callable[[Import], object]) -> Response:
        row = self.get_object()
        try:
            change(row)
        except ImportStateError as why:
            raise ConflictError(str(why)) from None
        return Response(self.get_serializer(row).data)


def _upload(request: Request, pixels: dict[str, Pixel], templates: QuerySet[ImportTemplate]) -> Import:
    """Keep the body and return its import. `pixels`, `templates`: those that the caller may use; pixels by id."""
    pixel, name, format_, dry_run = _asked(request, pixels)
    options = asked_options(request, templates.filter(customer_id=pixel.customer_id))
    with option_faults():
        check_list(pixel.customer_id, options)
    try:
        with upload_place(owner_of(request)), draft_of(_chunks(body_reader(request))) as draft:
            if not draft.stat().st_size:
                raise ValidationError({"body": ErrorDetail("There is no file in the body.", "required")})
            return services.keep_upload(draft, pixel, name, format_, options, dry_run=dry_run)
    except InputTooLargeError as error:
        raise FileTooLargeError(error.message) from None


def _chunks(read: Read) -> Iterator[bytes]:
    while chunk := read(CHUNK):
        yield chunk


def _asked(request: Request, pixels: dict[str, Pixel]) -> tuple[Pixel, str, str, bool]:
    """Return pixel, name and format of the file, and whether it is a dry run. Refuses all faults together."""
    asked = request.query_params
    faults = unknown_parameters(request, PARAMETERS)
    pixel = pixels.get(asked.get("pixel", ""))
    if pixel is None:
        faults["pixel"] = ErrorDetail("Name a pixel: its user key names the users of the file.", "invalid")
    name, format_ = asked.get("name", ""), ""
    try:
        format_ = format_of(name)
    except UnreadableFileError as error:
        faults["name"] = ErrorDetail(f"Name the file: {error}.", "invalid")
    dry_run = FLAGS.get(asked.get("dry_run", "0").lower())
    if dry_run is None:
        faults["dry_run"] = ErrorDetail("must be 1 or 0", "invalid")
    if faults or pixel is None or dry_run is None:
        raise ValidationError(faults)
    return pixel, name, format_, dry_run
