"""`/healthz`, `/readyz` and `/metrics`, and what is answered to requests for an address that is not the console's."""

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.views.defaults import bad_request as django_bad_request

from console.metrics import metrics

REFUSED = """\
This is not one of the console's addresses.

Set DMPHUB_CONSOLE_URL to the address that people use, such as https://hub.example, and start the console again.
Without it the console answers to localhost, 127.0.0.1, [::1] and the name of its host.
"""


def healthz(request: HttpRequest) -> HttpResponse:
    """Whether the console is alive."""
    return _answer("ok\n", 200)


def readyz(request: HttpRequest) -> HttpResponse:
    """Whether the console can work: its database answers."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT version FROM configuration_version")
    except DatabaseError:
        return _answer("the database does not answer\n", 503)
    return _answer("ready\n", 200)


PROBES = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}


class ProbesMiddleware:
    """Answers probes under any host name: who watches the console calls it by whatever address it has inside."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return PROBES.get(request.path_info, self.get_response)(request)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler of 400. A refused host name is told what to do; it is not repeated."""
    if isinstance(exception, DisallowedHost):
        return _answer(REFUSED, 400)
    return django_bad_request(request, exception)


def _answer(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, "text/plain", status, headers={"Cache-Control": "no-store"})
