"""Whom a request of the private door comes from, before its body is read: long bodies are taken from callers only."""

from io import BytesIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.core.handlers.wsgi import WSGIRequest
from django.db import close_old_connections

from api.access import find_key
from core.audit.door import API


def caller_of(environ: dict[str, Any]) -> str:
    """Return which key, or which person, the request belongs to; an empty text for nobody.

    What they may do is no question here: the application asks.
    """
    request: Any = WSGIRequest({**environ, "wsgi.input": BytesIO()})
    close_old_connections()
    try:
        return _key(request) if request.path_info.startswith(API) else _person(request)
    finally:
        close_old_connections()


def _key(request: Any) -> str:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    key = find_key(text.strip()) if scheme.lower() == "bearer" else None
    is_allowed = key is not None and key.held().allows(settings.TRUSTED_PROXIES.of(request.META))
    return f"key {key.pk}" if key is not None and is_allowed else ""


def _person(request: Any) -> str:
    request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    person = get_user(request)
    return f"person {person.pk}" if person.is_authenticated else ""
