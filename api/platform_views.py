"""What is asked of a platform beside its row: `links/` for mailings, by which their readers are matched with it;
`publish/`, by which buyers come to see segments; `match-rate/`, how well its users are known."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from activation.publishing import publication, publish
from api.access import scope_of
from api.errors import refusals
from api.resource import Resource
from api.strict import ObjectField, StrictBody, count_of, parameters_of
from integrations.errors import IntegrationError
from integrations.models import Platform
from integrations.previews import request_text
from pipeline import match_rates
from pipeline.match_rates import MatchRate
from usersync.links import MAX_MAILING, BadLinkError, LinkKind
from usersync.services import link_for, newest_sync

DAYS, MOST_DAYS = 90, 3660
SHARE = serializers.FloatField(allow_null=True, help_text="mapped / known, 0 to 1; null where nobody is known.")
_RATE: dict[str, serializers.Field[Any, Any, Any, Any]] = {
    "known": serializers.IntegerField(),
    "mapped": serializers.IntegerField(),
    "share": SHARE,
}
_DAY: dict[str, serializers.Field[Any, Any, Any, Any]] = {
    "day": serializers.DateField(help_text="UTC; the last is today, as it stands.")
}
MATCH_RATE = inline_serializer(
    "MatchRate",
    {
        **_RATE,
        "newest_sync": serializers.DateTimeField(allow_null=True),
        "days": inline_serializer("MatchDay", {**_DAY, **_RATE}, many=True),
    },
)


class LinkSerializer(StrictBody):
    kind = serializers.ChoiceField([kind.value for kind in LinkKind], help_text="A link, or the mailing on the web.")
    target = serializers.CharField(help_text="Where the reader goes: https://… or http://…")
    mailing = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=MAX_MAILING, help_text="Kept with the match."
    )


class LinkViewSet(Resource[Platform]):
    model_class = Platform
    serializer_class = LinkSerializer

    @extend_schema(
        request=LinkSerializer,
        responses=OpenApiResponse(inline_serializer("SignedLink", {"url": serializers.CharField()})),
    )
    def create(self, request: Request, pk: str) -> Response:
        """Return a signed link, to which the mailing appends `?u=` and the contact's id on the platform."""
        platform = self.get_object()
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            return Response({"url": link_for(platform, **serializer.validated_data)})
        except BadLinkError as fault:
            raise ValidationError({fault.field: [ErrorDetail(str(fault), "invalid")]}) from None


class PublishSerializer(StrictBody):
    kind = serializers.CharField(help_text="For MediaMath S2S: taxonomy or data_segment.")
    order = ObjectField(help_text="What it says; docs/connectors has the fields.")
    preview = serializers.BooleanField(default=False, help_text="Show the request, secrets masked, and send nothing.")


PUBLISHED = inline_serializer(
    "Published",
    {
        "request": serializers.CharField(),
        "status": serializers.IntegerField(allow_null=True, help_text="Null: nothing was sent."),
        "answer": serializers.CharField(),
    },
)


class PublishViewSet(Resource[Platform]):
    model_class = Platform
    serializer_class = PublishSerializer

    @extend_schema(request=PublishSerializer, responses=OpenApiResponse(PUBLISHED))
    def create(self, request: Request, pk: str) -> Response:
        """Publish the platform's segments, with the names and numbers that they have now."""
        platform = self.get_object()
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        with refusals():
            made = publication(platform, given["kind"], given["order"])
        if given["preview"]:
            return Response({"request": request_text(made), "status": None, "answer": ""})
        try:
            answer = publish(platform, made)
        except IntegrationError as failure:
            raise ValidationError({"order": [ErrorDetail(str(failure), "refused")]}) from None
        return Response({"request": request_text(made), "status": answer.status, "answer": answer.excerpt})


class MatchRateView(APIView):
    """The customer's known users, how many of them have a match on the platform, and both day by day."""

    @extend_schema(
        parameters=[
            inline_serializer("MatchRateQuery", {"days": serializers.IntegerField(required=False, default=DAYS)})
        ],
        responses=MATCH_RATE,
    )
    def get(self, request: Request, pl: int) -> Response:
        platform = get_object_or_404(scope_of(request).of(Platform), pk=pl)
        count = count_of(parameters_of(request, "days"), "days", DAYS, MOST_DAYS)
        days = match_rates.days(platform, count)
        listed = [{"day": one.day.isoformat(), **_rate(one.rate)} for one in days]
        newest = newest_sync(platform.pl)
        return Response({**_rate(days[-1].rate), "newest_sync": newest, "days": listed})


def _rate(rate: MatchRate) -> dict[str, Any]:
    return {"known": rate.known, "mapped": rate.mapped, "share": rate.share}
