"""Who a web request belongs to in the audit log: the middleware of both private doors."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from core import audit
from core.audit import Actor

API = "/api/"

Respond = Callable[[HttpRequest], HttpResponseBase]


class AuditDoor:
    """Middleware, behind the one that knows sessions: what a request changes was changed by whom it belongs to."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = audit.entered_by(lambda: caller(request))
        try:
            return self._respond(request)
        finally:
            audit.left(token)


def caller(request: HttpRequest) -> Actor:
    """Returns the person who is logged in, or nobody. The API says itself whose key it has found."""
    door = "api" if request.path.startswith(API) else "console"
    address = settings.TRUSTED_PROXIES.of(request.META)
    person = getattr(request, "user", None)
    if person is not None and person.is_authenticated:
        return Actor("person", person.get_username(), str(person.pk), door, address)
    return Actor("nobody", door=door, address=address)
