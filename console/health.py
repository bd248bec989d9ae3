"""Whether the console is alive, and whether it can work."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse


def healthz(request: HttpRequest) -> HttpResponse:
    return _answer("ok\n", 200)


def readyz(request: HttpRequest) -> HttpResponse:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT version FROM configuration_version")
    except DatabaseError:
        return _answer("the database does not answer\n", 503)
    return _answer("ready\n", 200)


def _answer(text: str, status: int) -> HttpResponse:
    return HttpResponse(text, "text/plain", status, headers={"Cache-Control": "no-store"})
