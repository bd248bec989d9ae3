"""Who calls (`Authorization: Bearer <key>`), what a role may do, and whose data a caller sees."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, ErrorDetail, NotFound, PermissionDenied, ValidationError
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from api.throttling import count_failure, count_request
from core import audit, clock, key_use
from core.access import NO_ACCESS, Access, Right, of_key
from core.api_keys import NOBODY, prefix_of
from core.audit import Actor
from core.models import ApiKey
from core.scope import OutOfScopeError, Scope

if TYPE_CHECKING:  # the settings name this module, and views read the settings while they are imported
    from rest_framework.views import APIView

MOST_DIGITS = 10
HIGHEST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """What DRF calls the user: the holder of an API key."""

    key: ApiKey
    is_authenticated: bool = True


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey] | None:
        """Return the holder and the key; None where no `Authorization` is sent.

        Refuses an unknown, expired or revoked key, and one that may not be used from the caller's address;
        and a key that makes too many requests.
        """
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            return None
        if scheme.lower() != "bearer":
            raise AuthenticationFailed("Send the key as “Authorization: Bearer <key>”.")
        key = find_key(text.strip())
        if key is None:
            count_failure(request, settings.TRUSTED_PROXIES.of(request.META))
            raise AuthenticationFailed("There is no such API key, or it has expired or was revoked.")
        address = settings.TRUSTED_PROXIES.of(request.META)
        audit.entered_by(partial(Actor, "key", key.name, key.prefix, "api", address))
        if not key.held().allows(address):
            key_use.note_refusal(key, address)
            raise PermissionDenied("This API key may not be used from this address.")
        key_use.note(key.pk, address)
        count_request(request, key)
        return KeyHolder(key), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="dmphub"'


class RolePermission(BasePermission):
    """Analysts read what is not personal, marketers read all and change a customer's data, admins do everything.

    A view may name `reading_actions` (POSTs that change nothing) and `personal_actions` (what shows personal data; of a
    view without actions: reading, where it `shows_persons`), and say that its writes are `for_admins`, or that all of
    it is for `admins_only`.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return access_of(request).may(_needed(request, view))


def _needed(request: Request, view: "APIView") -> Right:
    action = getattr(view, "action", None)
    if getattr(view, "admins_only", False):
        return Right.ADMINISTER
    if request.method in SAFE_METHODS or action in getattr(view, "reading_actions", ()):
        personal = getattr(view, "shows_persons", False) or action in getattr(view, "personal_actions", ())
        return Right.SEE_PERSONS if personal else Right.READ
    return Right.ADMINISTER if getattr(view, "for_admins", False) else Right.CHANGE


def access_of(request: Request) -> Access:
    """Return what the caller may do, and whose data it sees."""
    key = request.auth
    return of_key(key.role, key.customer_id) if isinstance(key, ApiKey) else NO_ACCESS


def find_key(text: str) -> ApiKey | None:
    """Return the row of a valid key, as it was shown when it was issued. Digests are compared in constant time."""
    if not text.isascii() or not text.isprintable():
        return None
    row = ApiKey.objects.select_related("customer").filter(prefix=prefix_of(text), revoked_at=None).first()
    known = (row.held() if row else NOBODY).is_proven_by(text, clock.now())
    return row if known else None


def author_of(request: Request) -> str:
    """Return what the record of a change calls the caller."""
    return f"API key “{request.auth.name}”" if isinstance(request.auth, ApiKey) else ""


def scope_of(request: Request) -> Scope:
    """Return whose data the caller may see. Who has no key sees nothing."""
    return Scope(access_of(request).customers)


def key_name(request: Request) -> str:
    """Return the name of the key."""
    return request.auth.name if isinstance(request.auth, ApiKey) else ""


def customer_named(request: Request) -> int:
    """Return the customer that the query names, or the caller's own.

    Raises NotFound for a customer that is not the caller's, ValidationError if none is named.
    """
    scope, text = scope_of(request), request.query_params.get("customer")
    if text is None and scope.only is not None:
        return scope.only
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        raise ValidationError({"customer": ErrorDetail("must be a customer's number", "required")})
    try:
        return scope.checked(min(int(text), HIGHEST))
    except OutOfScopeError:
        raise NotFound from None


def key_number(request: Request) -> int | None:
    """Return the number of the key."""
    return request.auth.pk if isinstance(request.auth, ApiKey) else None
