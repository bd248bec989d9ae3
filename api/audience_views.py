"""Calls of `audiences/` beside its rows: members, versions, estimates, explanations, size history, overlap."""

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from api.access import author_of
from api.audience_shapes import (
    DifferenceSerializer,
    EstimateBody,
    EstimateSerializer,
    ExplanationSerializer,
    MemberSerializer,
    OverlapSerializer,
    PointSerializer,
    RuleBody,
    VersionBody,
    VersionSerializer,
)
from api.errors import in_use, refusals
from api.idempotency import once
from api.personal import sees_persons
from api.resource import Resource
from api.strict import count_of, parameters_of, read_body
from audiences import history as histories
from audiences import overlaps, services
from audiences.asked_rules import AskedRule, asked_rule
from audiences.estimates import Estimate, RuleEstimate
from audiences.explaining import explain
from audiences.history import NoSuchVersionError
from audiences.models import Audience, AudienceVersion, Membership
from audiences.references import refuse_cycle
from audiences.schema import names_of
from core.transactions import plain_cursor

STEPS = ("hour", "day")


class AudienceViews(Resource[Audience]):
    reading_actions = ("estimate", "difference")
    # a rule of the caller's own can single out anybody, so its numbers are personal too
    personal_actions = ("members", "export", "explain", "estimate", "difference")

    @extend_schema(responses=MemberSerializer(many=True), filters=False)
    @action(detail=True)
    def members(self, request: Request, pk: str) -> Response:
        """List the present members, and since when each is one."""
        audience = self.get_object()
        self.ordering: tuple[str, ...] = ("bucket", "user_id")
        rows: Any = self.rows_of(Membership).filter(audience_id=audience.pk, member=True)
        return self.get_paginated_response(MemberSerializer(self.paginate_queryset(rows), many=True).data)

    @extend_schema(responses=VersionSerializer(many=True), filters=False)
    @action(detail=True)
    def versions(self, request: Request, pk: str) -> Response:
        """List every change, who made it, and the audience as it was from then on; the newest first."""
        audience = self.get_object()
        self.ordering = ("-version",)
        rows: Any = self.rows_of(AudienceVersion).filter(audience=audience)
        return self.get_paginated_response(VersionSerializer(self.paginate_queryset(rows), many=True).data)

    @extend_schema(request=VersionBody, responses=VersionSerializer)
    @action(detail=True, methods=["post"], url_path="go-back")
    @once
    def go_back(self, request: Request, pk: str) -> Response:
        """Take the rule and the ttl of an earlier version again. Returns the new version that this makes."""
        audience = self.get_object()
        version = read_body(VersionBody, request)["version"]
        try:
            with refusals(), in_use():
                services.go_back(audience, version, by=author_of(request))
        except NoSuchVersionError as error:
            raise ValidationError({"version": str(error)}) from None
        newest = self.rows_of(AudienceVersion).filter(audience=audience).latest("version")
        return Response(VersionSerializer(newest).data)

    @extend_schema(request=EstimateBody, responses=EstimateSerializer)
    @action(detail=False, methods=["post"])
    def estimate(self, request: Request) -> Response:
        """Estimate how many people a rule describes, before there is an audience."""
        body = read_body(EstimateBody, request, self.get_serializer_context())
        rule = _read(body["customer"].pk, body["rule"])
        found = rule.estimate()
        shown = {**_count(found.members), "exact": found.exact, "sample": found.sample}
        return Response({**shown, **_unknown(rule, found)})

    @extend_schema(request=RuleBody, responses=DifferenceSerializer)
    @action(detail=True, methods=["post"])
    def difference(self, request: Request, pk: str) -> Response:
        """Estimate how many would enter and leave if the audience had this rule. Saves nothing."""
        audience = self.get_object()
        given = read_body(RuleBody, request)["rule"]
        rule = _read(audience.customer_id, given)
        with refusals():
            refuse_cycle(audience, given)
        found = rule.estimate(audience)
        parts = {"members": found.members, "enter": found.enter, "leave": found.leave}
        counts = {name: _count(one) for name, one in parts.items()}
        return Response({**counts, "exact": found.exact, **_unknown(rule, found)})

    @extend_schema(
        responses=ExplanationSerializer,
        filters=False,
        parameters=[OpenApiParameter("user_id", OpenApiTypes.UUID, required=True)],
    )
    @action(detail=True, pagination_class=None)
    def explain(self, request: Request, pk: str) -> Response:
        """Explain why a user is a member or not: every part of the rule with what was found."""
        audience = self.get_object()
        user = _user(parameters_of(request, "user_id").get("user_id", ""))
        with refusals(), plain_cursor() as cursor:
            found = explain(cursor, audience, user, names_of(audience.customer_id))
        if found is None:
            raise NotFound("The customer knows no such user.")
        return Response(ExplanationSerializer(found).data)

    @extend_schema(
        responses=PointSerializer(many=True),
        filters=False,
        parameters=[
            OpenApiParameter("step", OpenApiTypes.STR, enum=STEPS, description="hour (the default) or day"),
            OpenApiParameter("last", OpenApiTypes.INT, description="How many of them (48 where left out)."),
        ],
    )
    @action(detail=True, pagination_class=None)
    def history(self, request: Request, pk: str) -> Response:
        """List the size, and how many entered and left, hour by hour or day by day; the oldest first."""
        audience = self.get_object()
        given = parameters_of(request, "step", "last")
        step = given.get("step", "hour")
        if step not in STEPS:
            raise ValidationError({"step": "must be hour or day"})
        points = histories.history(audience, step, count_of(given, "last", 48, histories.MOST[step]))
        return Response(PointSerializer(points, many=True).data)

    @extend_schema(
        responses=OverlapSerializer,
        filters=False,
        parameters=[OpenApiParameter("ids", OpenApiTypes.STR, required=True, description="2 to 10 ids, by commas")],
    )
    @action(detail=False, pagination_class=None)
    def overlap(self, request: Request) -> Response:
        """Count the users that audiences share, two by two and all together. Analysts are told whole twenties."""
        ids = _ids(parameters_of(request, "ids").get("ids", ""))
        rows = {row.pk: row for row in self.get_queryset().filter(pk__in=ids)}
        missing = [key for key in ids if key not in rows]
        if missing or len({row.customer_id for row in rows.values()}) > 1:
            fault = f"no audience {missing[0]}" if missing else "audiences of several customers share nobody"
            raise ValidationError({"ids": fault})
        found = overlaps.overlap([rows[key] for key in ids])
        if not sees_persons(request):
            found = overlaps.rough(found)
        pairs = [{"audiences": [p.first, p.second], "users": p.users, "share": p.share} for p in found.pairs]
        shown = {"sizes": {str(key): size for key, size in found.sizes.items()}, "pairs": pairs}
        return Response({**shown, "all": found.all, "any": found.any, "exact": found.exact})


def _read(customer: int, rule: object) -> AskedRule:
    with refusals():
        return asked_rule(customer, rule)


def _count(one: Estimate) -> dict[str, int]:
    return {"estimate": one.estimate, "low": one.low, "high": one.high}


def _unknown(rule: AskedRule, found: RuleEstimate) -> dict[str, Any]:
    """Returns the rule in words, and whom it describes only because something about them is unknown."""
    offer = rule.offer if found.unknown.estimate else None
    return {"text": rule.text(found), "without_value": _count(found.unknown), "only_where_known": offer}


def _user(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ValidationError({"user_id": "must be one of our user ids"}) from None


def _ids(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in parts):
        raise ValidationError({"ids": "must be ids, separated by commas"})
    ids = list(dict.fromkeys(map(int, parts)))
    if not 2 <= len(ids) <= overlaps.MOST:
        raise ValidationError({"ids": f"must be 2 to {overlaps.MOST} ids"})
    return ids
