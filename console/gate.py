"""Who is logged in and still may not go on: somebody without a role, or without the second factor that is demanded."""

from collections.abc import Callable

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import resolve, reverse
from django.urls.exceptions import Resolver404

OPEN = ("mfa_", "account_logout", "account_reauthenticate", "account_login", "account_log_out_everywhere", "sso_")
DEMAND = "This hub demands a second factor: an authenticator app, or a passkey. Add one to go on."


class GateMiddleware:
    """Leaves only the pages open by which somebody can log out, add a second factor, or accept an invitation."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = _name_of(request.path_info)
        if name.startswith(OPEN) or not request.user.is_authenticated:
            return self.get_response(request)
        if settings.CONSOLE.second_factor and not is_mfa_enabled(request.user):
            messages.warning(request, DEMAND)
            return HttpResponseRedirect(reverse("mfa_index"))
        if not request.user.is_staff and not name.startswith(("account_", "invitation")):
            return render(request, "account/no_role.html", admin.site.each_context(request), status=403)
        return self.get_response(request)


def _name_of(path: str) -> str:
    try:
        return resolve(path).url_name or ""
    except Resolver404:
        return ""
