"""The part of `audiences/` that concerns static ones: their lists, changed by ids, and what became of each change."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.access import author_of
from api.errors import in_use
from api.idempotency import once
from api.resource import Resource
from api.strict import StrictBody, read_body
from audiences import listing
from audiences.listing import MOST_IDS, USER_KEYS, USERS, ChangeCounts
from audiences.models import Audience, ListChange


class ListIdsBody(StrictBody):
    """The ids of users: the hub's own, or the customer's."""

    users = serializers.ListField(
        child=serializers.CharField(trim_whitespace=False, allow_blank=True),
        required=False,
        max_length=MOST_IDS,
        help_text="The hub's own user ids.",
    )
    user_keys = serializers.ListField(
        child=serializers.CharField(trim_whitespace=False, allow_blank=True),
        required=False,
        max_length=MOST_IDS,
        help_text="The customer's user ids, as its pixels send them under their user key.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise ValidationError(ErrorDetail("Name the users once: by users, or by user_keys.", "invalid"))
        return attrs


class RefusedIdSerializer(serializers.Serializer[Any]):
    line = serializers.IntegerField(help_text="Its place in the list, from 1.")
    message = serializers.CharField()


class ListChangeSerializer(serializers.ModelSerializer[ListChange]):
    """A change of a list. It is done once every bucket has absorbed its ids."""

    given = serializers.IntegerField(allow_null=True, help_text="Ids that were sent on; null: the file is being read.")
    changed = serializers.SerializerMethodField(help_text="Users who are on the list now, or no more, by this change.")
    unchanged = serializers.SerializerMethodField(help_text="Users who were on it, or were not, before.")
    unknown = serializers.SerializerMethodField(
        help_text="Ids of nobody whom the customer knows, or who has opted out: they make no user."
    )
    done = serializers.SerializerMethodField()

    class Meta:
        model = ListChange
        fields = ["id", "action", "given", "refused", "changed", "unchanged", "unknown", "done", "by", "at"]

    def get_changed(self, change: ListChange) -> int:
        return self._counts(change).changed

    def get_unchanged(self, change: ListChange) -> int:
        return self._counts(change).unchanged

    def get_unknown(self, change: ListChange) -> int:
        return self._counts(change).unknown

    def get_done(self, change: ListChange) -> bool:
        return change.given is not None and self._counts(change).all >= change.given

    def _counts(self, change: ListChange) -> ChangeCounts:
        known: dict[int, ChangeCounts] = self.context.get("counts", {})
        return known.get(change.pk, ChangeCounts())


class ListAnswerSerializer(serializers.Serializer[Any]):
    """What was sent on, and what was not: the lines of ids that name nobody."""

    change = ListChangeSerializer()
    refused = RefusedIdSerializer(many=True)


class ListViews(Resource[Audience]):
    """Calls that only static audiences answer."""

    @extend_schema(request=ListIdsBody, responses={202: ListAnswerSerializer}, filters=False)
    @action(detail=True, methods=["post"], pagination_class=None, filterset_fields=None)
    @once
    def add(self, request: Request, pk: str) -> Response:
        """Put users on the list. Ids of nobody are refused with their line; the others are taken."""
        return self._change(request, ListChange.Action.ADD)

    @extend_schema(request=ListIdsBody, responses={202: ListAnswerSerializer}, filters=False)
    @action(detail=True, methods=["post"], pagination_class=None, filterset_fields=None)
    @once
    def remove(self, request: Request, pk: str) -> Response:
        """Take users off the list of a static audience."""
        return self._change(request, ListChange.Action.REMOVE)

    @extend_schema(responses=ListChangeSerializer(many=True), filters=False)
    @action(detail=True)
    def changes(self, request: Request, pk: str) -> Response:
        """List what changed the list, and what became of the ids; the newest first."""
        audience = self.get_object()
        self.ordering: tuple[str, ...] = ("-id",)
        rows: QuerySet[Any] = self.rows_of(ListChange).filter(audience=audience)
        page = self.paginate_queryset(rows) or []
        counts = {"counts": listing.counts_of([row.pk for row in page])}
        return self.get_paginated_response(ListChangeSerializer(page, many=True, context=counts).data)

    def _change(self, request: Request, change: str) -> Response:
        audience = self.get_object()
        body = read_body(ListIdsBody, request)
        kind = USERS if USERS in body else USER_KEYS
        ids = listing.read_ids(audience.customer, kind, body[kind])
        with in_use():
            made = listing.change_list(audience, change, ids, by=author_of(request))
        refused = [{"line": line, "message": message} for line, message in ids.refused]
        answer = {"change": made, "refused": refused}
        return Response(ListAnswerSerializer(answer).data, status.HTTP_202_ACCEPTED)
