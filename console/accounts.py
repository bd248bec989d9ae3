"""What django-allauth is told about log-ins: who may have one, how secrets are kept, and the frame of its pages."""

from typing import TYPE_CHECKING, Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import LoginForm
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse

from console import failed_log_ins, sessions
from core import audit
from core.keys import KeyRing
from core.people import mails

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser

PAGES = ("account_", "mfa_", "socialaccount_", "sso_", "invitation")
TITLES = {
    "mfa_": "Second factor",
    "account_change_password": "Change password",
    "account_reset": "New password",
    "socialaccount_": "Single sign-on",
}


class LogInForm(LoginForm):
    """Calls the name `username`, as Django's own form does: scripts and password managers know that."""

    def add_prefix(self, field_name: str) -> str:
        return "username" if field_name == "login" else str(super().add_prefix(field_name))


class AccountAdapter(DefaultAccountAdapter):
    """Nobody signs up by themselves: people are invited."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Wrong passwords are counted by axes, in PostgreSQL, not in this process."""

    def is_reauthentication_required(self, *, app: str) -> bool:
        """Ask for the password again before log-ins are changed; not just after logging in, nor of who has none."""
        request = context.request
        if sessions.is_fresh(request) or not self.get_reauthentication_methods(request.user):
            return False
        return bool(super().is_reauthentication_required(app=app))

    def login(self, request: HttpRequest, user: "AbstractBaseUser") -> None:
        super().login(request, user)
        sessions.begin(request)
        audit.record("log in", "person", user.pk, user.get_username())

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        failed_log_ins.note(request, str(credentials.get("username", "")))

    def set_password(self, user: "AbstractBaseUser", password: str) -> None:
        """Called for a change as well as by who follows a reset link."""
        with transaction.atomic():
            super().set_password(user, password)
            audit.record("set password", "person", user.pk, user.get_username())

    def send_password_reset_mail(self, user: "AbstractBaseUser", email: str, context: dict[str, Any]) -> None:
        mails.send_reset(email, user.get_username(), context["password_reset_url"])

    def get_reset_password_from_key_url(self, key: str) -> str:
        person, _, token = key.partition("-")
        return reset_address(context.request, person, token)

    def get_client_ip(self, request: HttpRequest) -> str:
        return str(settings.TRUSTED_PROXIES.of(request.META))

    def logout(self, request: HttpRequest) -> None:
        audit.record("log out", "person", request.user.pk, request.user.get_username())
        super().logout(request)


def reset_address(request: HttpRequest, person: str, key: str) -> str:
    """Return the address of a reset link."""
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": person, "key": key})
    return f"{settings.CONSOLE.url}{path}" if settings.CONSOLE.url else request.build_absolute_uri(path)


class SecondFactorAdapter(DefaultMFAAdapter):
    """Keeps the secrets of authenticator apps and recovery codes encrypted, under the hub's key ring."""

    def encrypt(self, text: str) -> str:
        return KeyRing(settings.SECRET_KEYS).seal(text).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return str(KeyRing(settings.SECRET_KEYS).open(encrypted_text.encode()))


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: what unfold's frame needs, on the pages of log-ins."""
    match = request.resolver_match
    name = (match.url_name or "") if match else ""
    if not name.startswith(PAGES):
        return {}
    title = next((title for prefix, title in TITLES.items() if name.startswith(prefix)), "Log-in")
    return {**admin.site.each_context(request), "title": title, "single_sign_on": settings.CONSOLE.single_sign_on}
