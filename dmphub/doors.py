"""What both doors on Django, console and API, owe the database: texts that it can hold, and statements that end."""

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase

from core.database import is_cancelled

API = "/api/"
NUL = "%00"  # no other bytes of an address are decoded to it
TOO_LONG = "This takes longer than the hub allows for one question. Ask for less, or try again later.\n"
RETRY_SECONDS = 5


def bound_statements(database: dict[str, Any], seconds: int) -> None:
    """Have PostgreSQL cancel statements of connections that Django opens from now on, after so many seconds.

    `database`: of Django's settings. Only the doors ask for it: what workers and migrations do may take long.
    """
    options = database["OPTIONS"]
    options["options"] = f"{options.get('options', '')} -c statement_timeout={seconds * 1000}".strip()


class DoorMiddleware:
    """Refuses queries with NUL characters, and answers 503 where a statement of a page was cancelled.

    The API answers the latter itself (`api.errors`).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if NUL in request.META.get("QUERY_STRING", ""):
            return _refused(request)
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not is_cancelled(error):
            return None
        return HttpResponse(TOO_LONG, "text/plain", 503, headers={"Retry-After": str(RETRY_SECONDS)})


def _refused(request: HttpRequest) -> HttpResponse:
    """Return the refusal of a query with NUL characters, in the API's shape of errors or as a page."""
    if not request.path_info.startswith(API):
        raise BadRequest("NUL in the query")
    errors = [_fault(name) for name in request.GET if _holds_nul(name, request.GET)]
    return JsonResponse({"type": "validation_error", "errors": errors}, status=400)


def _fault(name: str) -> Mapping[str, str]:
    detail = "There must be no NUL character in a query."
    return {"code": "null_characters_not_allowed", "detail": detail, "attr": name.replace("\0", "")}


def _holds_nul(name: str, given: Any) -> bool:
    return any("\0" in text for text in (name, *given.getlist(name)))
