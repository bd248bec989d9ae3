"""The page behind the link of an invitation: make a log-in, or accept with the one that there is."""

from typing import Any, cast

from allauth.account.adapter import get_adapter
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from console.components import ModelForm
from core.errors import InvalidInvitationError
from core.people import invitations
from core.people.models import Invitation

OPENED = "invitation"  # the session's key: the number of the invitation whose link was opened


class JoinForm(ModelForm[User]):
    """A new log-in. The password is checked against the name and the mail address too."""

    password = forms.CharField(
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text="At least 10 characters: no common password, and nothing like your name.",
    )
    again = forms.CharField(
        strip=False, label="The password again", widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )

    class Meta:
        model = User
        fields = ["username", "email", "first_name", "last_name"]

    def _post_clean(self) -> None:
        cast("Any", super())._post_clean()
        password = self.cleaned_data.get("password")
        if password and password != self.cleaned_data.get("again"):
            self.add_error("again", "The two passwords differ.")
        if password:
            try:
                validate_password(password, self.instance)
            except forms.ValidationError as error:
                self.add_error("password", error)

    def make(self, invitation: int) -> User | None:
        """Make the person with the invitation's role; None where the name is taken meanwhile.

        Raises `InvalidInvitationError` where the invitation serves no longer.
        """
        user = self.save(commit=False)
        user.set_password(self.cleaned_data["password"])
        try:
            with transaction.atomic():
                user.save()
                invitations.accept(invitation, user)
        except IntegrityError:
            self.add_error("username", "There is a person with this name already.")
            return None
        return user


@never_cache
@sensitive_post_parameters("password", "again")
def join(request: HttpRequest, token: str) -> HttpResponse:
    row = invitations.find(token)
    if row is None:
        return render(request, "account/no_invitation.html", status=404)
    try:
        return _joined(request, row)
    except InvalidInvitationError:
        return render(request, "account/no_invitation.html", status=404)


def _joined(request: HttpRequest, row: Invitation) -> HttpResponse:
    if request.user.is_authenticated:
        if request.method == "POST":
            invitations.accept(row.pk, User.objects.get(pk=request.user.pk))
            return _welcome(request)
        return _page(request, row)
    form = JoinForm(request.POST or None, initial={"email": row.email})
    user = form.make(row.pk) if form.is_valid() else None
    if user is None:
        request.session[OPENED] = row.pk
        return _page(request, row, form)
    get_adapter(request).login(request, user)
    return _welcome(request)


def _welcome(request: HttpRequest) -> HttpResponse:
    request.session.pop(OPENED, None)
    messages.success(request, "Welcome. The invitation is accepted.")
    return HttpResponseRedirect(reverse("admin:index"))


def _page(request: HttpRequest, row: Invitation, form: JoinForm | None = None) -> HttpResponse:
    shown: dict[str, Any] = {"form": form, "invitation": row, "single_sign_on": settings.CONSOLE.single_sign_on}
    return render(request, "account/join.html", shown)
