"""What every resource of the API has in common."""

from typing import Any, ClassVar, TypeVar

from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError
from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
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

from api.authentication import customer_of
from api.errors import ConflictError
from api.idempotency import once
from api.parser import BodyTooLargeError
from core.models import Customer

Row = TypeVar("Row", bound=Model)
PAGING = {"cursor", "page_size", "format"}


class Resource(GenericViewSet[Row]):
    """Rows of the caller's customers only: another's are not there.

    `customer_path` leads from a row to its customer's id, as a query lookup.
    """

    customer_path: ClassVar[str] = "customer_id"
    lookup_value_regex = r"\d{1,18}"

    def get_queryset(self) -> QuerySet[Row]:
        rows = super().get_queryset()
        if self.request.method in {"PATCH", "DELETE"}:
            rows = rows.select_for_update(of=("self",))
        customer = customer_of(self.request)
        return rows if customer is None else rows.filter(**{self.customer_path: customer})

    def handle_exception(self, exc: Exception) -> Response:
        for kind, refusal in ((IntegrityError, ConflictError), (RequestDataTooBig, BodyTooLargeError)):
            if isinstance(exc, kind):
                return super().handle_exception(refusal())
        return super().handle_exception(exc)


class Listed(ListModelMixin, Resource[Row]):
    """`GET /`: refuses a filter that does not exist, which would silently list everything."""

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        self._check_parameters(request)
        return super().list(request, *args, **kwargs)

    def _check_parameters(self, request: Request) -> None:
        filters = getattr(self, "filterset_class", None)
        known = {*PAGING, *(filters.base_filters if filters else getattr(self, "filterset_fields", ()))}
        unknown = request.query_params.keys() - known
        if unknown:
            message = ErrorDetail(f"There is no such filter; there are {', '.join(sorted(known))}.", "unknown")
            raise ValidationError(dict.fromkeys(sorted(unknown), message))


class Readable(RetrieveModelMixin, Listed[Row]):
    pass


class Created(CreateModelMixin, Resource[Row]):
    create = once(CreateModelMixin.create)


class Changed(UpdateModelMixin, Resource[Row]):
    """`PATCH /{id}/`; there is no PUT: what is left out stays as it is."""

    http_method_names = ["get", "post", "patch", "delete", "head", "options"]
    partial_update = once(UpdateModelMixin.partial_update)


class Destroyed(DestroyModelMixin, Resource[Row]):
    destroy = once(DestroyModelMixin.destroy)


class OwnedField(serializers.PrimaryKeyRelatedField[Any]):
    """A reference that a caller can make only to what it may see."""

    def __init__(self, customer_path: str = "customer_id", **options: Any) -> None:
        self.customer_path = customer_path
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, float):
            self.fail("incorrect_type", data_type="float")
        return super().to_internal_value(data)

    def get_queryset(self) -> Any:
        rows = super().get_queryset()
        request = self.context.get("request")
        customer = customer_of(request) if request else None
        return rows if customer is None or rows is None else rows.filter(**{self.customer_path: customer})


def customer_field(**options: Any) -> OwnedField:
    return OwnedField(customer_path="pk", queryset=Customer.objects.all(), **options)
