"""What the console tells browsers to refuse, beside what Django's and django-csp's middleware say."""

from collections.abc import Callable
from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect

from core.console_environment import ConsoleEnvironment

NOT_USED = (
    *("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone"),
    *("midi", "payment", "screen-wake-lock", "usb", "xr-spatial-tracking"),
)
PERMISSIONS = ", ".join([*(f"{feature}=()" for feature in NOT_USED), "publickey-credentials-get=(self)"])
FORWARDED = "X-Forwarded-Proto"


def content_security_policy(*form_targets: str) -> dict[str, Any]:
    """Return django-csp's setting. `form_targets`: other origins to which a form's answer may lead.

    Everything comes from the console itself, and no script stands in a page. Two things unfold does not allow to
    forbid: Alpine makes functions of the texts in its attributes (`unsafe-eval`), and colours and widths stand in the
    pages as styles (`unsafe-inline`, for styles only).
    """
    return {
        "DIRECTIVES": {
            "default-src": [SELF],
            "script-src": [SELF, UNSAFE_EVAL],
            "script-src-attr": [NONE],
            "style-src": [SELF, UNSAFE_INLINE],
            "img-src": [SELF, "data:"],
            "object-src": [NONE],
            "base-uri": [NONE],
            "form-action": [SELF, *form_targets],
            "frame-ancestors": [NONE],
        }
    }


class BrowserRulesMiddleware:
    """Adds the headers that Django has no setting for. Leads browsers from http to https where the proxy says so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        console: ConsoleEnvironment = settings.CONSOLE
        came_by = request.headers.get(FORWARDED, "").lower()
        if console.has_tls and came_by == "http" and request.method in {"GET", "HEAD"}:
            return HttpResponsePermanentRedirect(f"{console.url}{request.get_full_path()}")
        answer = self.get_response(request)
        answer.headers.setdefault("Permissions-Policy", PERMISSIONS)
        answer.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return answer
