"""How long a log-in lasts: until nobody uses it, until some days are over, or until it is ended from elsewhere."""

from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import SESSION_KEY, logout
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views import View

from console.components import page
from core import clock
from core.people.models import end_sessions, sessions_ended_at

BEGUN, SEEN = "begun", "seen"  # keys of the session, with seconds since 1970
NOTE_EVERY = 300  # seconds; so a page does not write the session
FRESH = 300  # seconds


def begin(request: HttpRequest) -> None:
    """Note in the session that a log-in begins now."""
    request.session[BEGUN] = request.session[SEEN] = clock.now().timestamp()


def is_fresh(request: HttpRequest) -> bool:
    """Whether the log-in began a moment ago."""
    return clock.now().timestamp() - float(request.session.get(BEGUN, 0)) < FRESH


class SessionLimitsMiddleware:
    """Logs out whose log-in has ended. That it is used is noted every few minutes; idle time counts from there."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if SESSION_KEY in request.session:
            self._look_at(request)
        return self.get_response(request)

    def _look_at(self, request: HttpRequest) -> None:
        now, session = clock.now(), request.session
        if BEGUN not in session:
            begin(request)
        ended = sessions_ended_at(int(session[SESSION_KEY]))
        console = settings.CONSOLE
        oldest = (now - timedelta(hours=console.most_hours)).timestamp()
        idle = (now - timedelta(hours=console.idle_hours)).timestamp()
        if session[BEGUN] <= max(oldest, ended.timestamp() if ended else 0) or session[SEEN] <= idle:
            logout(request)
        elif now.timestamp() - session[SEEN] > NOTE_EVERY:
            session[SEEN] = now.timestamp()


class LogOutEverywhere(View):
    """Ends every log-in of the person, on this and on other machines."""

    @method_decorator(login_required)
    def get(self, request: HttpRequest) -> HttpResponse:
        question = "End all your log-ins, on every machine? You log in again afterwards."
        title, back = "Log out everywhere", reverse("admin:index")
        return page(request, "confirm.html", title, verb=title, question=question, row=request.user, back=back)

    @method_decorator(login_required)
    def post(self, request: HttpRequest) -> HttpResponse:
        end_sessions(int(request.session[SESSION_KEY]))
        logout(request)
        messages.success(request, "All your log-ins have ended.")
        return HttpResponseRedirect(reverse("account_login"))


def locked_out(request: HttpRequest, credentials: object = None) -> HttpResponse:
    """Answered to log-ins with a name for which too many have failed, whether there is such a person or not."""
    minutes = int(settings.AXES_COOLOFF_TIME.total_seconds() // 60)
    return render(request, "account/locked.html", {"minutes": minutes}, status=429)
