"""Whatever a page of the console changes is in the audit log, also where neither page nor library thinks of it."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from core import audit

UNCHANGING = frozenset(
    {
        *(
            "choose-customer",
            "account_login",
            "account_logout",
            "account_signup",
            "account_reset_password",
            "sso_login",
        ),
        *("account_reauthenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn"),
        *("mfa_authenticate", "mfa_login_webauthn"),
    }
)
"""Pages that lead on and change nothing; of log-ins there are entries of their own."""
BY_GET = frozenset({"sso_callback"})
"""It connects a log-in with the provider's."""
_REDIRECTS = range(300, 400)


class RecordedMiddleware:
    """Adds an entry where a form was taken, which every page shows by leading on, and none was added. Admin classes see
    to it themselves: they know what was changed.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        name = _page_of(request)
        is_change = name in BY_GET or (request.method == "POST" and name not in UNCHANGING)
        if name and is_change and response.status_code in _REDIRECTS and not audit.is_recorded():
            words = name.replace("_", " ").replace("-", " ")
            audit.record(words[:40], "page", "", request.path_info)
        return response


def _page_of(request: HttpRequest) -> str:
    """Return the name of the console's own page, or of one of log-ins; empty for others."""
    match = request.resolver_match
    if match is None or match.namespace not in {"", "console"}:
        return ""
    return match.url_name or ""
