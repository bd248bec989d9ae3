"""What callers send, read strictly: what is not understood is refused, never ignored.

JSON bodies, fields and query parameters have one way each; every resource uses these.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import IO, Any, ClassVar, TypeVar, cast

from django.db.models import Model
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import APIException, ErrorDetail, ParseError, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from core import strict_json
from core.configuration import MOST_CHOSEN, NumberUsedError, UsedNumber, is_taken
from core.values.errors import UnreadableValueError
from core.values.numbers import LONGEST, read_number

Row = TypeVar("Row", bound=Model)
MOST_BYTES = 2_500_000  # below Django's own limit, which some ways of reading a body meet first
MOST_DIGITS = 9


class BodyTooLargeError(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = f"A body may have {MOST_BYTES} bytes at most."


class StrictJSONParser(JSONParser):
    """Reads bodies as `core.strict_json` does."""

    def parse(self, stream: IO[Any], *_: Any, **__: Any) -> Any:
        raw = stream.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise BodyTooLargeError
        try:
            return strict_json.read(raw)
        except strict_json.StrictJsonError as error:
            raise ParseError(error.message) from None


class StrictBody(serializers.Serializer[Any]):
    """The body of a call that is no row. Refuses unknown fields."""

    def to_internal_value(self, data: Any) -> Any:
        return _read(super().to_internal_value, data, _faults(data, self.fields))


# what may have changed since the caller read it
MOVING = frozenset({"health"})


class StrictSerializer(serializers.ModelSerializer[Row]):
    """Refuses unknown fields, read-only fields with another value, and changes of `fixed` fields."""

    fixed: ClassVar[tuple[str, ...]] = ()
    unique: ClassVar[tuple[str, ...]] = ()

    def to_internal_value(self, data: Any) -> Any:
        errors = {**_faults(data, self.fields), **self._changed_by_caller(data)}
        return _read(super().to_internal_value, data, errors)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        instance = self.instance if isinstance(self.instance, Model) else None
        for name in self.fixed if instance else ():
            if name in attrs and attrs[name] != getattr(instance, name):
                raise ValidationError({name: ErrorDetail("cannot be changed", "fixed")})
        self._check_unique(attrs, instance)
        return attrs

    def _changed_by_caller(self, data: Any) -> dict[str, ErrorDetail]:
        """Read-only fields whose value is not the present one: who sends back what was read may keep them."""
        if not isinstance(data, Mapping):
            return {}
        shown = self.to_representation(self.instance) if isinstance(self.instance, Model) else {}
        fault = ErrorDetail("is set by the hub and cannot be given", "read_only")
        given = [name for name, field in self.fields.items() if field.read_only and name in data]
        given = [name for name in given if name not in MOVING]
        return {name: fault for name in given if name not in shown or shown[name] != data[name]}

    def _check_unique(self, attrs: dict[str, Any], instance: Model | None) -> None:
        named = {name: attrs.get(name, getattr(instance, name, None)) for name in self.unique}
        if not self.unique or not set(self.unique) & attrs.keys():
            return
        model = cast("type[Row]", cast("Any", self).Meta.model)
        if self.unique == (model._meta.pk.name,):
            self._check_number(model, attrs, instance)
        elif is_taken(model, named, instance.pk if instance else None):
            raise ValidationError({self.unique[-1]: ErrorDetail("is taken already", "unique")})

    def _check_number(self, model: type[Model], attrs: dict[str, Any], instance: Model | None) -> None:
        """Refuse a number that cannot be had, by one answer: nobody learns whose it is, or that it was deleted."""
        number = attrs.get(model._meta.pk.name) if instance is None else None
        if number is not None and UsedNumber.is_used(model, number):
            raise ValidationError({model._meta.pk.name: ErrorDetail(NumberUsedError(number).text, "unique")})


class IdField(serializers.IntegerField):
    """An id that the caller may choose when the row is made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=MOST_CHOSEN, required=False, **options)


class SecretShownOnce(serializers.CharField):
    """In the answer that makes a secret."""

    def __init__(self, **options: Any) -> None:
        text = "Shown in this answer only; null where the answer is repeated for an Idempotency-Key."
        super().__init__(required=False, allow_null=True, help_text=text, **options)


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.JSONField):
    """A JSON object."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValidationError("must be a JSON object")
        return super().to_internal_value(data)


def read_body(
    shape: Callable[..., serializers.Serializer[Any]], request: Request, context: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the valid fields of the request's body. Raises ValidationError."""
    body = shape(data=request.data, context=context or {})
    body.is_valid(raise_exception=True)
    valid: dict[str, Any] = body.validated_data
    return valid


def unknown_parameters(request: Request, known: Iterable[str], kind: str = "parameter") -> dict[str, ErrorDetail]:
    """Return a fault for each query parameter that is none of the known ones."""
    names = sorted(known)
    fault = ErrorDetail(
        f"There is no such {kind}; there {'is' if len(names) == 1 else 'are'} {', '.join(names)}.", "unknown"
    )
    return dict.fromkeys(sorted(request.query_params.keys() - set(names)), fault)


def parameters_of(request: Request, *known: str) -> dict[str, str]:
    """Return the query parameters. Raises ValidationError where one is unknown."""
    if faults := unknown_parameters(request, known):
        raise ValidationError(faults)
    return request.query_params.dict()


def count_of(given: Mapping[str, str], name: str, default: int, most: int) -> int:
    """Return the parameter as a whole number from 1 to `most`. Raises ValidationError."""
    text = given.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > MOST_DIGITS or not 1 <= int(text) <= most:
        raise ValidationError({name: f"must be 1 to {most}"})
    return int(text)


def _read(read: Callable[[Any], Any], data: Any, faults: Mapping[str, ErrorDetail]) -> Any:
    """Read the fields; what is wrong with them is refused together with the faults found before."""
    try:
        value = read(data)
    except ValidationError as error:
        raise ValidationError({**_as_mapping(error.detail), **faults}) from None
    if faults:
        raise ValidationError(faults)
    return value


def _faults(data: Any, fields: Mapping[str, Any]) -> dict[str, ErrorDetail]:
    return {**_unknown_fields(data, fields), **_misspelled_numbers(data, fields)}


def _misspelled_numbers(data: Any, fields: Mapping[str, Any]) -> dict[str, ErrorDetail]:
    """Numbers that are given as text must be spelled as in JSON: Python reads `1_000` and full-width digits, too."""
    given = data if isinstance(data, Mapping) else {}
    fault = ErrorDetail("must be a number as JSON spells it", "invalid")
    texts = {name: given[name] for name, field in fields.items() if isinstance(field, _NUMBER_FIELDS) and name in given}
    return {name: fault for name, text in texts.items() if isinstance(text, str) and _is_misspelled(text)}


_NUMBER_FIELDS = (
    *(serializers.IntegerField, serializers.FloatField, serializers.DecimalField),
    serializers.PrimaryKeyRelatedField,
)


def _is_misspelled(text: str) -> bool:
    """Whether Python reads a number that JSON would not. What neither reads is refused by the field."""
    try:
        read_number(text)
    except UnreadableValueError:
        with suppress(ValueError):
            float(text[:LONGEST])
            return True
    return False


def _unknown_fields(data: Any, known: Iterable[str]) -> dict[str, ErrorDetail]:
    names = list(known)
    unknown = [str(name) for name in data if name not in names] if isinstance(data, Mapping) else []
    return {name: _unknown_field(name, names) for name in unknown}


def _unknown_field(name: str, known: list[str]) -> ErrorDetail:
    close = get_close_matches(name, known, 1)
    hint = f" Did you mean “{close[0]}”?" if close else ""
    return ErrorDetail(f"There is no such field.{hint}", "unknown")


def _as_mapping(detail: Any) -> dict[str, Any]:
    return dict(detail) if isinstance(detail, Mapping) else {"non_field_errors": detail}
