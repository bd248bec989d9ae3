"""`platforms/{pl}/match-rate/`: how well a platform's users are known."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.authentication import customer_of
from integrations.models import Platform
from pipeline import match_rates
from pipeline.match_rates import Rate
from usersync.services import newest_sync

DAYS, MOST_DAYS = 90, 3660
SHARE = serializers.FloatField(allow_null=True, help_text="mapped / known, 0 to 1; null where nobody is known.")


class MatchRateView(APIView):
    """The customer's known users, how many of them have a match on the platform, and how that came about."""

    @extend_schema(
        parameters=[
            inline_serializer("MatchRateQuery", {"days": serializers.IntegerField(required=False, default=DAYS)})
        ],
        responses=inline_serializer(
            "MatchRate",
            {
                "known": serializers.IntegerField(),
                "mapped": serializers.IntegerField(),
                "share": SHARE,
                "newest_sync": serializers.DateTimeField(allow_null=True),
                "days": inline_serializer(
                    "MatchDay",
                    {
                        "day": serializers.DateField(help_text="UTC; the last is today, as it stands."),
                        "known": serializers.IntegerField(),
                        "mapped": serializers.IntegerField(),
                        "share": SHARE,
                    },
                    many=True,
                ),
            },
        ),
    )
    def get(self, request: Request, pl: int) -> Response:
        platform = _platform(request, pl)
        days = match_rates.days(platform, _days(request))
        shown = [{"day": one.day.isoformat(), **_shown(one.rate)} for one in days]
        newest = newest_sync(platform.pl)
        return Response({**_shown(days[-1].rate), "newest_sync": newest, "days": shown})


def _platform(request: Request, pl: int) -> Platform:
    rows = Platform.objects.all()
    customer = customer_of(request)
    return get_object_or_404(rows if customer is None else rows.filter(customer_id=customer), pk=pl)


def _days(request: Request) -> int:
    unknown = request.query_params.keys() - {"days"}
    if unknown:
        raise ValidationError({min(unknown): ErrorDetail("There is no such parameter; there is days.", "unknown")})
    text = request.query_params.get("days", str(DAYS))
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_DAYS:
        raise ValidationError({"days": f"must be 1 to {MOST_DAYS}"})
    return int(text)


def _shown(rate: Rate) -> dict[str, Any]:
    return {"known": rate.known, "mapped": rate.mapped, "share": rate.share}
