"""The page that finds a user by any id and shows everything that is known."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from unfold.widgets import UnfoldAdminTextInputWidget

from activation.models import Activation
from console.access import scope_of
from console.cells import Table, json_text, link, mono, number, state, table, when
from console.components import page
from console.fields import choose_row
from console.scoped import ScopedForm
from core.models import Customer
from core.scope import Scope
from integrations.models import Platform
from pipeline.stories import UserStory, find, story
from profiles.models import Pixel

KINDS = {"cookie": "cookie", "user": "customer's user id"}


class LookUpForm(ScopedForm):
    customer = choose_row(Customer)
    id = forms.CharField(
        strip=True,
        max_length=400,
        label="Any id",
        widget=UnfoldAdminTextInputWidget(
            attrs={"placeholder": "our user id, the customer's user id, a device's, a platform's", "autofocus": True}
        ),
    )


@permission_required("profiles.view_profile", raise_exception=True)
def look_up(request: HttpRequest) -> HttpResponse:
    scope = scope_of(request)
    form = LookUpForm(scope, request.GET) if "id" in request.GET else LookUpForm(scope)
    context: dict[str, Any] = {"form": form}
    if form.is_bound and form.is_valid():
        context |= _found(scope, form.cleaned_data["customer"], form.cleaned_data["id"])
    return page(request, "look_up.html", "Look up a user", **context)


def _found(scope: Scope, customer: Customer, text: str) -> dict[str, Any]:
    users = find(customer.pk, text)
    if len(users) != 1:
        return {"searched": True, "users": [link(f"?customer={customer.pk}&id={user}", mono(user)) for user in users]}
    known = story(customer.pk, users[0])
    return {"searched": True} if known is None else {"searched": True, "story": known, **_shown(scope, known, text)}


def _shown(scope: Scope, known: UserStory, text: str) -> dict[str, Any]:
    return {
        "facts": _facts(known, text),
        "sections": [
            ("Audiences", _audiences(known)),
            ("Deliveries", _deliveries(scope, known)),
            ("Identities", _identities(known)),
            ("Merges: ids that answer with this user", _merges(scope, known)),
            ("Shared ids: set aside, the user has too many", _set_aside(known)),
            ("Excess: attributes set aside, the profile had no room", _excess(known)),
            ("Mappings", _mappings(scope, known)),
            ("Attributes", _values(known.attributes)),
            ("Dimensions", _values(known.dimensions)),
            ("Activity", _activity(scope, known)),
        ],
    }


def _facts(known: UserStory, text: str) -> Table:
    size = known.size
    rows: list[tuple[str, Any]] = [
        ("User id", mono(known.user_id)),
        ("Known since", when(known.created_at)),
        ("Attributes", f"{number(size.attributes)} of {number(size.most_attributes)}"),
        ("Bytes", f"{number(size.bytes)} of {number(size.most_bytes)}"),
    ]
    if _is_another(text, known.user_id):
        rows.append(("Asked for", mono(f"{text}: merged into this user")))
    return table([], rows)


def _is_another(text: str, user_id: UUID) -> bool:
    try:
        return UUID(text) != user_id
    except ValueError:
        return False


def _audiences(known: UserStory) -> Table:
    rows = [(one.name, one.id, when(one.since), when(one.until)) for one in known.audiences]
    return table(["Audience", "Id", "Since", "Until (by time alone)"], rows)


def _deliveries(scope: Scope, known: UserStory) -> Table:
    names = (
        scope.of(Activation)
        .select_related("audience", "platform")
        .in_bulk([one.activation for one in known.deliveries])
    )
    return table(
        ["Activation", "Platform's id", "Wanted", "Acknowledged", "State", "Changed", "Error"],
        [
            (
                names.get(one.activation, one.activation),
                mono(one.platform_user_id),
                _in_or_out(one.wanted),
                _in_or_out(one.acknowledged),
                state(one.state),
                when(one.at),
                one.error[:200],
            )
            for one in known.deliveries
        ],
    )


def _in_or_out(value: bool | None) -> str:
    return "unknown" if value is None else "in" if value else "out"


def _identities(known: UserStory) -> Table:
    return table(["Kind", "Id"], [(KINDS.get(one.kind, one.kind), mono(one.value)) for one in known.identities])


def _merges(scope: Scope, known: UserStory) -> Table:
    names = scope.of(Pixel).in_bulk([one.cause.pixel for one in known.merges if one.cause.pixel])
    return table(
        ["Merged", "User", "Into", "Because both were seen with", "By pixel"],
        [
            (
                when(one.at),
                mono(one.user_id),
                mono(one.into),
                mono(f"{KINDS.get(one.cause.kind, one.cause.kind)} {one.cause.value}"),
                names.get(one.cause.pixel or 0, one.cause.pixel or ""),
            )
            for one in known.merges
        ],
    )


def _set_aside(known: UserStory) -> Table:
    return table(
        ["Kind", "Id", "Times", "First", "Last"],
        [
            (KINDS.get(one.kind, one.kind), mono(one.value), number(one.times), when(one.first_at), when(one.last_at))
            for one in known.set_aside
        ],
    )


def _excess(known: UserStory) -> Table:
    rows = []
    if known.excess is not None:
        one = known.excess
        counts = number(one.events), number(one.attributes), number(one.bytes)
        rows.append((*counts, ", ".join(one.names), when(one.first_at), when(one.last_at)))
    return table(["Events", "Attributes", "Bytes", "The last ones", "First", "Last"], rows)


def _mappings(scope: Scope, known: UserStory) -> Table:
    names = scope.of(Platform).in_bulk([one.platform for one in known.mappings])
    return table(
        ["Platform", "Platform's id", "Synced", "Expires", "Extra"],
        [
            (
                names.get(one.platform, one.platform),
                mono(one.platform_user_id),
                when(one.synced_at),
                when(one.expires_at),
                json_text(one.extra) if one.extra else "",
            )
            for one in known.mappings
        ],
    )


def _values(values: dict[str, Any]) -> Table:
    return table(["Name", "Value"], [(name, json_text(value)) for name, value in sorted(values.items())])


def _activity(scope: Scope, known: UserStory) -> Table:
    names = scope.of(Pixel).in_bulk([int(pixel) for pixel in known.activity if pixel.isdecimal()])
    return table(
        ["Pixel", "First", "Last", "Count"],
        [
            (
                names.get(int(pixel), pixel) if pixel.isdecimal() else pixel,
                when(seen.first),
                when(seen.last),
                number(seen.count),
            )
            for pixel, seen in known.activity.items()
        ],
    )
