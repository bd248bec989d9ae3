"""Lists of rows: they are filtered by what the list offers, and by nothing else.

Django's lists take any lookup on any column of their own, which would show columns that no page shows, letter by
letter, and have PostgreSQL search by any regular expression.
"""

from typing import TYPE_CHECKING, Any

from django.contrib.admin.exceptions import DisallowedModelAdminLookup
from django.http import HttpRequest

if TYPE_CHECKING:  # unfold ships no types; its list is Django's
    from django.contrib.admin.views.main import ChangeList as UnfoldChangeList
else:
    from unfold.views import ChangeList as UnfoldChangeList


class StrictChangeList(UnfoldChangeList):
    """Takes the parameters of `list_filter`, of the search and of the order. Any other is answered 400."""

    def get_filters(self, request: HttpRequest) -> Any:
        """Each filter takes its own parameters away: what is left is no filter's."""
        found: Any = super().get_filters(request)
        _, _, left, _, _ = found
        if left:
            raise DisallowedModelAdminLookup("The list has no such filter.")
        return found
