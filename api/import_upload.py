"""A file of profiles as a request's body, taken in as it arrives and kept until it is imported."""

from collections.abc import Iterator

from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.request import Request

from api.body_lines import Read, reader
from api.mapping_upload import a_place
from core.errors import InputTooLargeError
from pipeline.imports import services
from pipeline.imports.files import draft_of
from pipeline.imports.opening import format_of
from pipeline.imports.row_errors import UnreadableFileError
from pipeline.models import Import
from profiles.models import Pixel

CHUNK = 256 * 1024
PARAMETERS = {"pixel", "name", "dry_run"}
FLAGS = {"0": False, "1": True, "false": False, "true": True}


class FileTooLargeError(APIException):
    status_code = 413
    default_code = "too_large"


def upload(request: Request, pixels: dict[str, Pixel]) -> Import:
    """The import of the body. `pixels`: those the caller may use, by id."""
    pixel, name, format_, dry_run = _asked(request, pixels)
    try:
        with a_place(), draft_of(_chunks(reader(request))) as draft:
            if not draft.stat().st_size:
                raise ValidationError({"body": ErrorDetail("There is no file in the body.", "required")})
            return services.keep_upload(draft, pixel, name, format_, dry_run=dry_run)
    except InputTooLargeError as error:
        raise FileTooLargeError(error.message) from None


def _chunks(read: Read) -> Iterator[bytes]:
    while chunk := read(CHUNK):
        yield chunk


def _asked(request: Request, pixels: dict[str, Pixel]) -> tuple[Pixel, str, str, bool]:
    """Pixel, name and format of the file, and whether it is a dry run. All faults are told at once."""
    asked = request.query_params
    faults = {name: ErrorDetail("There is no such parameter.", "unknown") for name in asked.keys() - PARAMETERS}
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
