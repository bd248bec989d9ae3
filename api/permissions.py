"""What each role may do. Whose data it is, is settled by the resources themselves."""

from typing import TYPE_CHECKING

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from core.models import ApiKey

if TYPE_CHECKING:  # the settings name this module, and views read the settings while they are imported
    from rest_framework.views import APIView


class RolePermission(BasePermission):
    """Analysts read, marketers also change a customer's data, admins do everything.

    A view may name `reading_actions` (POSTs that change nothing) and say that its writes are `for_admins`.
    """

    def has_permission(self, request: Request, view: "APIView") -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return False
        if request.method in SAFE_METHODS or getattr(view, "action", None) in getattr(view, "reading_actions", ()):
            return True
        if key.role == ApiKey.Role.MARKETER:
            return not getattr(view, "for_admins", False)
        return key.role == ApiKey.Role.ADMIN
