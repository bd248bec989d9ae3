"""The people who use the console: who has which role, whom to invite, whose role to take away."""

from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from console.access import access_of, scope_of
from console.cells import link, state, table, when
from console.components import page
from core.access import Access, Role
from core.errors import TeamError
from core.models import Customer
from core.people import invitations, members
from core.people.mails import send_invitation
from core.people.models import Invitation, RoleChoice
from core.scope import Scope

MAY = "core.change_teammember"
EVERYBODY = "every customer"
HINT = "Whoever opens this link gets the role. It serves once, for {days} days. Give it to one person only."
ONE_ROLE = "It takes the place of any role that the person has for your customers."
MOST_INVITATIONS = 100


class RolesForm(forms.Form):
    """A role, and for whom. `access`: of the admin who fills it in; offers their customers only."""

    role = forms.ChoiceField(choices=RoleChoice.choices, widget=UnfoldAdminSelectWidget, initial=RoleChoice.MARKETER)
    customers = forms.ModelMultipleChoiceField(Customer.objects.none(), required=False, widget=forms.SelectMultiple)
    everybody = forms.BooleanField(required=False, label="Every customer, later ones too", widget=UnfoldBooleanWidget)

    def __init__(self, *given: Any, access: Access, **options: Any) -> None:
        super().__init__(*given, **options)
        offered = Scope(access.customers).of(Customer).order_by("name", "m")
        customers = cast("forms.ModelMultipleChoiceField[Customer]", self.fields["customers"])
        customers.queryset, customers.widget.attrs["size"] = offered, 6
        if access.is_bound:
            del self.fields["everybody"]
            customers.initial = list(offered) if len(access.customers or ()) == 1 else None

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if not given.get("everybody") and not given.get("customers"):
            self.add_error("customers", "Choose a customer.")
        return given

    def given(self) -> Access:
        chosen = None if self.cleaned_data.get("everybody") else {row.pk for row in self.cleaned_data["customers"]}
        return Access(Role(self.cleaned_data["role"]), None if chosen is None else frozenset(chosen))


class InviteForm(RolesForm):
    email = forms.EmailField(
        required=False,
        label="Mail address",
        widget=UnfoldAdminTextInputWidget,
        help_text="The link is sent there, if the hub has a mail server; else give it away yourself.",
    )


@permission_required(MAY, raise_exception=True)
def people(request: HttpRequest) -> HttpResponse:
    access, names = access_of(request), _names(request)
    rows = [_person_cells(user, names) for user in members.people_seen_by(access)]
    sent = [_invitation_cells(row, names) for row in invitations.seen_by(access)[:MOST_INVITATIONS]]
    shown: dict[str, Any] = {
        "people": table(["Name", "Mail", "Role", "Last log-in"], rows),
        "invitations": table(["Role", "For", "Mail", "Invited by", "Until", "State", ""], sent) if sent else None,
    }
    return page(request, "people.html", "People", **shown)


def _person_cells(user: User, names: dict[int, str]) -> list[Any]:
    roles = [f"{one.role} of {_of(one.customer, names)}" for one in members.roles_of(user)]
    name = link(reverse("console:person", args=[user.pk]), user.get_username())
    return [name, user.email, "; ".join(roles), when(user.last_login)]


def _invitation_cells(row: Invitation, names: dict[int, str]) -> list[Any]:
    customers = EVERYBODY if row.customers is None else ", ".join(_of(one, names) for one in row.customers)
    revoking = link(reverse("console:revoke-invitation", args=[row.pk]), "Revoke") if row.state == "pending" else ""
    return [row.role, customers, row.email, row.created_by, when(row.expires_at), state(row.state), revoking]


def _names(request: HttpRequest) -> dict[int, str]:
    return dict(scope_of(request).of(Customer).values_list("pk", "name"))


def _of(customer: int | None, names: dict[int, str]) -> str:
    return EVERYBODY if customer is None else names.get(customer, str(customer))


@permission_required(MAY, raise_exception=True)
def invite(request: HttpRequest) -> HttpResponse:
    """Make an invitation, and show its link once."""
    access = access_of(request)
    form = InviteForm(request.POST or None, access=access)
    if form.is_valid():
        email = form.cleaned_data["email"]
        try:
            name = request.user.get_username()
            row, token = invitations.invite(access, form.given(), name, email, person=request.user.pk)
        except TeamError as error:
            form.add_error(None, error.message)
        else:
            url = request.build_absolute_uri(reverse("invitation", args=[token]))
            if email:
                messages.info(request, send_invitation(row, url))
            hint = HINT.format(days=invitations.VALID_FOR.days)
            onward = reverse("console:people")
            return page(request, "shown_once.html", "The invitation's link", secret=url, hint=hint, onward=onward)
    shown: dict[str, Any] = {"form": form, "verb": "Invite", "back": reverse("console:people")}
    return page(request, "form.html", "Invite somebody", **shown)


@permission_required(MAY, raise_exception=True)
def revoke_invitation(request: HttpRequest, pk: int) -> HttpResponse:
    row = get_object_or_404(invitations.seen_by(access_of(request)), pk=pk)
    if request.method == "POST":
        invitations.revoke(row)
        messages.success(request, "The invitation is revoked.")
        return HttpResponseRedirect(reverse("console:people"))
    return _confirm(request, "Revoke", "Make the link of this invitation useless?", row)


@permission_required(MAY, raise_exception=True)
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """Change the role of somebody for the customers that the admin sees."""
    access = access_of(request)
    user = get_object_or_404(members.people_seen_by(access), pk=pk)
    roles = members.roles_of(user)
    customers = [one.customer for one in roles if one.customer is not None]
    now = {"role": roles[0].role, "customers": customers, "everybody": any(one.customer is None for one in roles)}
    form = RolesForm(request.POST or None, access=access, initial=now)
    form.fields["role"].help_text = ONE_ROLE
    if form.is_valid() and not _is_self(request, user, form):
        try:
            members.change_roles(access, user, form.given())
        except TeamError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, f"{user.get_username()} has a new role. Their log-ins have ended.")
            return HttpResponseRedirect(reverse("console:people"))
    shown: dict[str, Any] = {"form": form, "verb": "Save", "back": reverse("console:people"), "remove": user.pk}
    return page(request, "form.html", user.get_username(), **shown)


@permission_required(MAY, raise_exception=True)
def remove_person(request: HttpRequest, pk: int) -> HttpResponse:
    access = access_of(request)
    user = get_object_or_404(members.people_seen_by(access), pk=pk)
    if request.method == "POST" and user.pk == request.user.pk:
        messages.error(request, SELF)
        return HttpResponseRedirect(reverse("console:people"))
    if request.method == "POST":
        try:
            members.remove(access, user)
        except TeamError as error:
            messages.error(request, error.message)
        else:
            messages.success(request, f"{user.get_username()} has no role any more. Their log-ins have ended.")
        return HttpResponseRedirect(reverse("console:people"))
    return _confirm(request, "Remove", "Take every role here from this person, and end their log-ins?", user)


SELF = "Nobody can change their own roles: ask another admin."


def _is_self(request: HttpRequest, user: User, form: RolesForm) -> bool:
    if user.pk == request.user.pk:
        form.add_error(None, SELF)
    return user.pk == request.user.pk


def _confirm(request: HttpRequest, verb: str, question: str, row: object) -> HttpResponse:
    return page(request, "confirm.html", verb, verb=verb, question=question, row=row, back=reverse("console:people"))
