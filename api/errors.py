"""Refusals of the API, and how errors of the domain become one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS
from django.core.exceptions import ValidationError as DjangoValidationError
from drf_standardized_errors.handler import exception_handler
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.renderers import JSONRenderer

from audiences.rules.errors import RuleError
from audiences.services import AudienceInUseError
from core.database import is_cancelled


class ConflictError(APIException):
    status_code = 409
    default_code = "conflict"
    default_detail = "This collides with something that exists, or with another change made at the same time."


class KeyReusedError(APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "This Idempotency-Key was already used for another request."


class TryLaterError(APIException):
    status_code = 503
    default_code = "try_later"
    default_detail = "The hub cannot do this now. Try again later."
    wait = 5  # seconds: becomes Retry-After


def answer_in_json(error: Exception, context: Any) -> Any:
    """DRF's exception handler: an error is JSON with every call, also where the answer would be CSV or HTML."""
    if is_cancelled(error):
        error = TryLaterError("This takes longer than the hub allows for one question. Ask for less, or later.")
    answer = exception_handler(error, context)
    request = context.get("request")
    if answer is not None and request is not None:
        request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
    return answer


@contextmanager
def in_use() -> Iterator[None]:
    """Turn the error that something still uses the audience into a 409."""
    try:
        yield
    except AudienceInUseError as error:
        raise ConflictError(str(error)) from None


@contextmanager
def refusals(prefix: str = "") -> Iterator[None]:
    """Turn domain errors into a 400 whose `attr` names the place below `prefix`."""
    try:
        yield
    except RuleError as error:
        raise ValidationError(
            {at("rule", fault.path): [ErrorDetail(fault.message, "invalid")] for fault in error.errors}
        ) from None
    except DjangoValidationError as error:
        raise ValidationError(_placed(error, prefix)) from None


def at(name: str, place: str) -> str:
    return f"{name}.{place}" if name and place else name or place


def _placed(error: DjangoValidationError, prefix: str) -> Mapping[str, Any]:
    if not hasattr(error, "error_dict"):
        return {prefix or "non_field_errors": error.messages}
    return {
        at(prefix, "" if name == NON_FIELD_ERRORS else name) or "non_field_errors": messages
        for name, messages in error.message_dict.items()
    }
