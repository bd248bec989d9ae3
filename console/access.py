"""Whose data the person at the console sees, and the customer that they have chosen."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from console.permissions import access_noted
from core.access import Access, Right
from core.models import Customer
from core.people.models import access_of as access_of_person
from core.scope import Scope

CHOSEN = "customer"  # the session's key
MOST_OFFERED = 200
MOST_DIGITS, HIGHEST = 10, 2**31 - 1  # of the numbers of rows


class AccessMiddleware:
    """Makes every question of what the request's person may do count the chosen customer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        known = request.user
        request.user = cast("Any", SimpleLazyObject(lambda: _with_access(request, known)))
        return self.get_response(request)


def _with_access(request: HttpRequest, user: Any) -> Any:
    user.hub_access = access_of_person(user, _chosen(request))
    return user


def access_of(request: HttpRequest) -> Access:
    """Return what the request's person may do, for the customer that they chose or for all of theirs."""
    return access_noted(request.user)


def scope_of(request: HttpRequest) -> Scope:
    """Return whose rows the person sees: every read of a page passes it."""
    return Scope(access_of(request).customers)


def sees_persons(request: HttpRequest) -> bool:
    """Whether personal data may be shown: ids, values of attributes, single users."""
    return access_of(request).may(Right.SEE_PERSONS)


def customers_of(request: HttpRequest) -> list[Customer]:
    """Return the customers among which the person may choose, whichever is chosen now."""
    access = access_of_person(request.user)
    if access.role is None:
        return []
    return list(Scope(access.customers).of(Customer).order_by("name", "m")[:MOST_OFFERED])


def switcher(request: HttpRequest) -> dict[str, Any]:
    """Context of every page: the customers among which the person may choose; none where there is only one."""
    if isinstance(request.user, AnonymousUser) or not request.user.is_authenticated:
        return {}
    offered = customers_of(request)
    return {"switcher": offered, "switched_to": _chosen(request)} if len(offered) > 1 else {}


@require_POST
def choose_customer(request: HttpRequest) -> HttpResponse:
    """Keep the choice in the session: the console then shows this customer only, or all again."""
    text = request.POST.get("customer", "")
    if text and not _may_choose(request, text):
        raise Http404
    request.session[CHOSEN] = int(text) if text else None
    onward = request.POST.get("next", "")
    fits = url_has_allowed_host_and_scheme(onward, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(onward if fits else reverse("admin:index"))


def _may_choose(request: HttpRequest, text: str) -> bool:
    """Whether it is the number of one of the person's customers, shown in the list or not."""
    number = number_of(text)
    rows = Scope(access_of_person(request.user).customers).of(Customer)
    return number is not None and rows.filter(pk=number).exists()


def number_of(text: str) -> int | None:
    """Return the number of a row that a request names; None where no row can have it."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS and int(text) <= HIGHEST
    return int(text) if is_number else None


def _chosen(request: HttpRequest) -> int | None:
    chosen = request.session.get(CHOSEN)
    return chosen if isinstance(chosen, int) else None
