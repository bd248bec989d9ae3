"""`suspect-ids/`: ids that suddenly named very many browsers, and what a person says about them."""

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.filters import NumberFilter
from api.idempotency import once
from api.resource import ListedResource
from profiles.judging import FullListError, IdName, judge, read_name, suspects_among
from profiles.models import WatchedId
from profiles.suspects import BAD, GOOD


class SuspectIdSerializer(serializers.ModelSerializer[WatchedId]):
    id = serializers.SerializerMethodField(help_text="Name it so in `good/` and `bad/`.")
    customer = serializers.IntegerField(source="customer_id")
    browsers = serializers.SerializerMethodField(help_text="How many of the latest different browsers are known.")
    verdict = serializers.CharField(help_text="`good`, `bad`, or empty: merges wait.")

    class Meta:
        model = WatchedId
        fields = ["id", "customer", "kind", "value", "browsers", "waiting", "suspect_at", "verdict"]

    def get_id(self, row: WatchedId) -> str:
        return str(IdName(row.customer_id, row.kind, row.value))

    def get_browsers(self, row: WatchedId) -> int:
        return len(row.seen)


class SuspectIdFilter(django_filters.FilterSet):
    customer = NumberFilter("customer_id")
    verdict = django_filters.ChoiceFilter(field_name="verdict", choices=[(GOOD, GOOD), (BAD, BAD)])


class SuspectIdViewSet(ListedResource[WatchedId]):
    """Ids that named more browsers than a person has: profiles are not merged by them until they are judged."""

    model_class = WatchedId
    serializer_class = SuspectIdSerializer
    filterset_class = SuspectIdFilter
    personal_actions = ("list",)
    ordering = ("bucket", "customer_id", "kind", "value")
    lookup_field, lookup_url_kwarg = "value", "name"
    lookup_value_regex = "[A-Za-z0-9_-]{1,800}"

    def get_queryset(self) -> QuerySet[WatchedId]:
        return suspects_among(super().get_queryset())

    @extend_schema(request=None, responses=SuspectIdSerializer)
    @action(detail=True, methods=["post"])
    @once
    def good(self, request: Request, name: str) -> Response:
        """It is one person's: what waits is merged, and the id is not suspect any more."""
        return self._judge(name, good=True)

    @extend_schema(request=None, responses=SuspectIdSerializer)
    @action(detail=True, methods=["post"])
    @once
    def bad(self, request: Request, name: str) -> Response:
        """It names nobody: it becomes one of the customer's `nobody_words`, and nobody has it any more."""
        return self._judge(name, good=False)

    def _judge(self, text: str, *, good: bool) -> Response:
        name = read_name(text)
        row = name and self.get_queryset().filter(customer_id=name.customer, kind=name.kind, value=name.value).first()
        if not row:
            raise NotFound
        try:
            judge(row, good=good)
        except FullListError:
            raise ValidationError({"nobody_words": "The customer has as many as there may be."}) from None
        return Response(self.get_serializer(row).data)
