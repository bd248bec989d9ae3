"""The addresses of single sign-on, and who may get in by it."""

from typing import TYPE_CHECKING, Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from console.joining import OPENED
from console.single_sign_on.configuration import ID
from console.single_sign_on.provider import SingleSignOnAdapter
from core.errors import InvalidInvitationError
from core.people import invitations
from core.people.models import Invitation

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class SingleSignOnPeople(DefaultSocialAccountAdapter):
    """Lets in who is known, or has opened the link of an invitation before."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        row = Invitation.objects.filter(pk=request.session.get(OPENED) or 0).first()
        return row is not None and row.state == "pending"

    def save_user(self, request: HttpRequest, sociallogin: Any, form: Any = None) -> "User":
        try:
            with transaction.atomic():
                user: User = super().save_user(request, sociallogin, form)
                invitations.accept(request.session.pop(OPENED), user)
        except InvalidInvitationError:
            raise ImmediateHttpResponse(render(request, "account/no_invitation.html", status=404)) from None
        return user


def sso_login(request: HttpRequest) -> HttpResponse:
    """Lead to the provider. By POST; a GET asks first."""
    _there_is_one()
    answer: HttpResponse = OAuth2LoginView.adapter_view(SingleSignOnAdapter(request, ID))(request)
    return answer


def sso_callback(request: HttpRequest) -> HttpResponse:
    """Where the provider sends people back to."""
    _there_is_one()
    answer: HttpResponse = OAuth2CallbackView.adapter_view(SingleSignOnAdapter(request, ID))(request)
    return answer


def _there_is_one() -> None:
    if not settings.SOCIALACCOUNT_PROVIDERS:
        raise Http404
