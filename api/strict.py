"""Bodies read strictly: what is not understood is refused, never ignored."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, TypeVar

from django.db.models import Model
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError

Row = TypeVar("Row", bound=Model)
MOST = 2**31 - 1


class StrictSerializer(serializers.ModelSerializer[Row]):
    """Refuses unknown fields, read-only fields with another value, and changes of `fixed` fields."""

    fixed: ClassVar[tuple[str, ...]] = ()
    unique: ClassVar[tuple[str, ...]] = ()

    def to_internal_value(self, data: Any) -> Any:
        errors = self._misread(data) if isinstance(data, Mapping) else {}
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            raise ValidationError({**_as_mapping(error.detail), **errors}) from None
        if errors:
            raise ValidationError(errors)
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        instance = self.instance if isinstance(self.instance, Model) else None
        for name in self.fixed if instance else ():
            if name in attrs and attrs[name] != getattr(instance, name):
                raise ValidationError({name: ErrorDetail("cannot be changed", "fixed")})
        self._check_unique(attrs, instance)
        return attrs

    def _misread(self, data: Mapping[Any, Any]) -> dict[str, Any]:
        fields = self.fields
        shown = self.to_representation(self.instance) if isinstance(self.instance, Model) else {}
        errors = {str(name): _unknown(str(name), list(fields)) for name in data if name not in fields}
        for name, field in fields.items():
            if field.read_only and name in data and (name not in shown or shown[name] != data[name]):
                errors[name] = ErrorDetail("is set by the hub and cannot be given", "read_only")
        return errors

    def _check_unique(self, attrs: dict[str, Any], instance: Model | None) -> None:
        named = {name: attrs.get(name, getattr(instance, name, None)) for name in self.unique}
        if not self.unique or not set(self.unique) & attrs.keys():
            return
        others = self.Meta.model._default_manager.filter(**named)  # type: ignore[attr-defined]  # every subclass has a Meta
        if others.exclude(pk=instance.pk if instance else None).exists():
            raise ValidationError({self.unique[-1]: ErrorDetail("is taken already", "unique")})


class IdField(serializers.IntegerField):
    """An id that the caller may choose when the row is made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MOST, required=False, **options)


class ObjectField(serializers.JSONField):
    """A JSON object."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValidationError("must be a JSON object")
        return super().to_internal_value(data)


def _unknown(name: str, known: list[str]) -> ErrorDetail:
    close = get_close_matches(name, known, 1)
    hint = f" Did you mean “{close[0]}”?" if close else ""
    return ErrorDetail(f"There is no such field.{hint}", "unknown")


def _as_mapping(detail: Any) -> dict[str, Any]:
    return dict(detail) if isinstance(detail, Mapping) else {"non_field_errors": detail}
