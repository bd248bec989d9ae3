"""What every resource of the API has in common: whose rows they are, how they are listed, made and changed, and ids
that callers choose."""

from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar, cast

from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError
from django.db.models import Model, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import Throttled, ValidationError
from rest_framework.mixins import (
    CreateModelMixin,
    DestroyModelMixin,
    ListModelMixin,
    RetrieveModelMixin,
    UpdateModelMixin,
)
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from api.access import scope_of
from api.errors import ConflictError, TryLaterError
from api.filters import StrictFilterBackend
from api.idempotency import once
from api.personal import sees_persons
from api.strict import BodyTooLargeError, unknown_parameters
from core import problems
from core.configuration import NumberUsedError, next_after
from core.errors import LastAdminError, OverQuotaError, UnavailableError
from core.models import Customer

__all__ = [
    "ChangedResource",
    "CreatedResource",
    "DestroyedResource",
    "ListedResource",
    "OwnedField",
    "ProblemField",
    "ReadableResource",
    "Resource",
    "customer_field",
    "next_after",
]

Row = TypeVar("Row", bound=Model)
Other = TypeVar("Other", bound=Model)
PAGING = {"cursor", "page_size", "format"}


class Resource(GenericViewSet[Row]):
    """Shows the rows of the caller's customers only: for others' rows the answer is 404.

    `model_class`: whose rows they are. A view reads rows by `get_queryset` or `rows_of`, and no table by itself.
    """

    model_class: ClassVar[type[Model]]
    filter_backends = [StrictFilterBackend]
    lookup_value_regex = r"\d{1,18}"

    def __init_subclass__(cls, **options: Any) -> None:
        """Name the model for the router and the schema, by a queryset that finds nothing."""
        super().__init_subclass__(**options)
        if "model_class" in vars(cls):
            cls.queryset = cast("type[Row]", cls.model_class)._default_manager.none()

    def get_queryset(self) -> QuerySet[Row]:
        rows = self.rows_of(cast("type[Row]", self.model_class))
        if self.request.method in {"PATCH", "DELETE"}:
            rows = rows.select_for_update(of=("self",))
        return rows

    def rows_of(self, model: type[Other]) -> QuerySet[Other]:
        """Return the rows of a model that the caller may see."""
        return scope_of(self.request).of(model)

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, NumberUsedError):
            return super().handle_exception(ConflictError(exc.text))
        if isinstance(exc, LastAdminError):
            return super().handle_exception(ConflictError(exc.message))
        if isinstance(exc, OverQuotaError):
            return super().handle_exception(Throttled(exc.retry_after, exc.message))
        if isinstance(exc, UnavailableError):
            return super().handle_exception(TryLaterError(str(exc) or None))
        for kind, refusal in ((IntegrityError, ConflictError), (RequestDataTooBig, BodyTooLargeError)):
            if isinstance(exc, kind):
                return super().handle_exception(refusal())
        return super().handle_exception(exc)


class ListedResource(ListModelMixin, Resource[Row]):
    """`GET /`: refuses a filter that does not exist, which would silently list everything."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self._check_parameters(request)
        return super().list(request, *args, **kwargs)

    def _check_parameters(self, request: Request, others: Iterable[str] = PAGING) -> None:
        filters = getattr(self, "filterset_class", None)
        known = {*others, *(filters.base_filters if filters else getattr(self, "filterset_fields", ()))}
        if not sees_persons(request):
            known -= set(getattr(self.serializer_class, "personal", ()))
        if faults := unknown_parameters(request, known, "filter"):
            raise ValidationError(faults)


class ReadableResource(RetrieveModelMixin, ListedResource[Row]):
    pass


class CreatedResource(CreateModelMixin, Resource[Row]):
    create = once(CreateModelMixin.create)


class ChangedResource(UpdateModelMixin, Resource[Row]):
    """`PATCH /{id}/`; there is no PUT: what is left out stays as it is."""

    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    partial_update = once(UpdateModelMixin.partial_update)


class DestroyedResource(DestroyModelMixin, Resource[Row]):
    destroy = once(DestroyModelMixin.destroy)


@extend_schema_field(OpenApiTypes.STR)
class ProblemField(serializers.Field[Any, Any, str, Any]):
    """Why the row is left out; empty: it can be used. The rows of a list are looked up together."""

    def __init__(self, subject: problems.Subject) -> None:
        super().__init__(read_only=True, source="*", help_text="Why it is left out; empty: it can be used.")
        self._subject = subject
        self._listed: dict[int, str] | None = None

    def to_representation(self, row: Model) -> str:
        rows = self.parent.parent
        if not isinstance(rows, serializers.ListSerializer):
            return self._of([row]).get(row.pk, "")
        if self._listed is None:
            self._listed = self._of(rows.instance or ())
        return self._listed.get(row.pk, "")

    def _of(self, rows: Iterable[Model]) -> dict[int, str]:
        return problems.of(self._subject, [row.pk for row in rows])


class OwnedField(serializers.PrimaryKeyRelatedField[Any]):
    """A reference that a caller can make only to rows that it may see; others' ids are refused like unknown ones."""

    def __init__(self, model: type[Model], **options: Any) -> None:
        self._model = model
        super().__init__(queryset=model._default_manager.none(), **options)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, float):
            self.fail("incorrect_type", data_type="float")
        return super().to_internal_value(data)

    def get_queryset(self) -> Any:
        request = self.context.get("request")
        return super().get_queryset() if request is None else scope_of(request).of(self._model)


def customer_field(**options: Any) -> OwnedField:
    return OwnedField(Customer, **options)
