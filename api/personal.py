"""Personal data (ids, values of attributes, excerpts of requests) in answers: it is left out for analysts.

So is whatever quotes the answer of a platform, or of the database: both repeat what they were sent.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from rest_framework import serializers
from rest_framework.request import Request

from api.access import access_of
from core.access import Right

if TYPE_CHECKING:
    Shown = serializers.Serializer[Any]
else:
    Shown = object


def sees_persons(request: Request) -> bool:
    """Whether the caller may see personal data."""
    return access_of(request).may(Right.SEE_PERSONS)


class PersonalFields(Shown):
    """For a serializer: its `personal` fields are empty in answers to callers who may not see personal data.

    Filters of these names are not there for them either (`api.resource.ListedResource`).
    """

    personal: ClassVar[tuple[str, ...]] = ()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        request = self.context.get("request")
        if request is None or sees_persons(request):
            return shown
        return {name: _empty(value) if name in self.personal else value for name, value in shown.items()}


def _empty(value: Any) -> Any:
    return None if value is None else type(value)()
