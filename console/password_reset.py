"""A new password for who has forgotten theirs: by a link that is sent to them, or that an admin makes.

Nobody learns whether an address is known: page, status and time are the same.
"""

from typing import Any

from allauth.account.forms import ResetPasswordForm, default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.account.views import PasswordResetView
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.accounts import reset_address

VALID_HOURS = settings.PASSWORD_RESET_TIMEOUT // 3600


class ResetForm(ResetPasswordForm):
    """Finds nobody who logs in without a password: single sign-on stays their only way."""

    def clean_email(self) -> str:
        email = str(super().clean_email())
        self.users: list[Any] = [user for user in self.users if user.has_usable_password()]
        return email


class ForgottenPassword(PasswordResetView):
    """Asks for the mail address; where the hub sends no mail, it says who can help."""

    def dispatch(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        if settings.CONSOLE.mail is None:
            return render(request, "account/password_reset_by_admin.html", {"hours": VALID_HOURS})
        found: HttpResponse = super().dispatch(request, *args, **options)
        return found


def link_for(request: HttpRequest, user: User) -> str:
    """Return the address where the person chooses a new password. It serves once."""
    key = default_token_generator.make_token(user)
    return reset_address(request, user_pk_to_url_str(user), key)
