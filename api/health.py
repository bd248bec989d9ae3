"""`health`: how a row is doing, in one word and one sentence. What it is, `pipeline.health` decides."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db.models import Model
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from api.personal import sees_persons
from pipeline.health.words import HealthState, HealthWord


@extend_schema_serializer(component_name="Health")
class HealthSerializer(serializers.Serializer[Any]):
    state = serializers.ChoiceField([one.value for one in HealthState])
    reason = serializers.CharField(help_text="What a person would say. Analysts do not see words of a platform in it.")
    since = serializers.DateTimeField(allow_null=True)
    people = serializers.IntegerField(help_text="How many the reason is about.")
    action = serializers.CharField(help_text="What to do; empty: nothing.")


@extend_schema_field(HealthSerializer)
class HealthField(serializers.Field[Any, Any, Any, Any]):
    """How the row is doing. The rows of a list are judged together.

    `judge`: a function of `pipeline.health.reading`. If the serializer has `counted` (the counts of its one row), these
    are used.
    """

    def __init__(self, judge: Callable[..., Mapping[int, HealthWord]]) -> None:
        super().__init__(read_only=True, source="*", help_text="How it is doing, and what to do.")
        self._judge = judge
        self._listed: Mapping[int, HealthWord] | None = None

    def to_representation(self, row: Model) -> Any:
        rows = self.parent.parent
        if isinstance(rows, serializers.ListSerializer):
            if self._listed is None:
                self._listed = self._words(rows.instance or ())
            return self._shown(self._listed[row.pk])
        return self._shown(self._words([row])[row.pk])

    def _words(self, rows: Iterable[Model]) -> Mapping[int, HealthWord]:
        counted = getattr(self.parent, "counted", None)
        if counted:
            return self._judge(rows, {row.pk: counted for row in rows})
        listed = self.context.get("counts") or None
        return self._judge(rows, listed) if listed else self._judge(rows)

    def _shown(self, word: HealthWord) -> Any:
        request = self.context.get("request")
        return HealthSerializer(word.shown(persons=request is None or sees_persons(request))).data
