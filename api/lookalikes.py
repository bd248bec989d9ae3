"""The part of `audiences/` that concerns lookalikes: their fields, and the model behind one."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from api.errors import ConflictError, refusals
from api.resource import OwnedField
from api.strict import StrictBody, read_body
from audiences.models import Audience
from lookalikes import services
from lookalikes.models import LookalikeModel
from lookalikes.status import LookalikeStatus, status_of

OF_RULES = ("rule", "ttl")
OF_LOOKALIKES = ("seed", "reach")
NAMES = ("seed", "reach", "retrain_days")


@extend_schema_field(OpenApiTypes.OBJECT)
class ReachField(serializers.JSONField):
    """How many people a lookalike is to have."""


class LookalikeFields(serializers.Serializer[Audience]):
    """The fields of an audience that only lookalikes have."""

    seed = OwnedField(
        Audience,
        required=False,
        allow_null=True,
        help_text="Of a lookalike: the audience whose members it looks for more of.",
    )
    reach = ReachField(
        required=False,
        allow_null=True,
        help_text='Of a lookalike: {"percent": 1 to 20} of all profiles, or {"people": n}.',
    )
    retrain_days = serializers.IntegerField(
        required=False, min_value=0, max_value=services.MOST_DAYS, help_text="0: only when asked to."
    )


def check_kind(attrs: dict[str, Any]) -> None:
    """Refuse a new audience that has neither a rule, nor a seed and a reach, nor a list; or parts of several."""
    needed, none, kind = {
        Audience.Kind.LOOKALIKE.value: (OF_LOOKALIKES, OF_RULES, "lookalike"),
        Audience.Kind.STATIC.value: ((), (*OF_RULES, *NAMES), "static audience"),
    }.get(attrs.get("kind", ""), (("rule",), NAMES, "custom audience"))
    errors = {name: ErrorDetail(f"A {kind} has none.", "invalid") for name in none if attrs.get(name)}
    errors |= {name: ErrorDetail(f"A {kind} needs it.", "required") for name in needed if attrs.get(name) is None}
    if errors:
        raise ValidationError(errors)


def create(attrs: dict[str, Any], *, by: str) -> Audience:
    with refusals():
        made = services.create_lookalike(
            attrs["customer"], attrs["name"], attrs["seed"], attrs["reach"], attrs.get("retrain_days", 0), by=by
        )
    if attrs.get("alert_percent") is not None:
        made.alert_percent = attrs["alert_percent"]
        made.save(update_fields=["alert_percent"])
    return made


def change(audience: Audience, attrs: dict[str, Any]) -> None:
    """Change the reach and the schedule of a lookalike. Refuses fields that the audience's kind does not have."""
    lookalike = audience.kind == Audience.Kind.LOOKALIKE
    is_static = audience.kind == Audience.Kind.STATIC
    for name in (*OF_RULES, *NAMES) if is_static else OF_RULES if lookalike else NAMES:
        if name in attrs and attrs[name] != getattr(audience, name):
            raise ValidationError({name: ErrorDetail(f"An audience of kind {audience.kind} has none.", "invalid")})
    if lookalike and {"reach", "retrain_days"} & attrs.keys():
        with refusals():
            services.change_lookalike(audience, reach=attrs.get("reach"), retrain_days=attrs.get("retrain_days"))


class LookalikePointSerializer(serializers.Serializer[Any]):
    percent = serializers.FloatField(help_text="Of all profiles: the closest.")
    people = serializers.IntegerField()
    lift = serializers.FloatField(help_text="How many times as many of the seed as among as many at random.")
    captured = serializers.FloatField(help_text="The share of the seed among them, 0 to 1.")


class LookalikeInfluenceSerializer(serializers.Serializer[Any]):
    feature = serializers.CharField()
    weight = serializers.FloatField(help_text="Above zero: makes it likelier; in log-odds.")
    share = serializers.FloatField(help_text="Of the people learnt from, those whom it is true of.")


class LookalikeVersionSerializer(serializers.Serializer[LookalikeModel]):
    """A model that was made, or was refused: then `refusal` says why."""

    number = serializers.IntegerField()
    made_at = serializers.DateTimeField()
    random_state = serializers.IntegerField(help_text="The same people and number give the same model.")
    refusal = serializers.CharField()
    auc = serializers.FloatField(
        source="figures.auc", default=None, allow_null=True, help_text="Held out; 0.5 = chance."
    )
    population = serializers.IntegerField(source="figures.population", default=0)
    seed = serializers.IntegerField(source="figures.seed", default=0, help_text="Its members then.")


class LookalikeModelSerializer(LookalikeVersionSerializer):
    features = serializers.IntegerField(source="figures.features", default=0)
    curve = LookalikePointSerializer(many=True, source="figures.curve", default=list)
    influences = LookalikeInfluenceSerializer(
        many=True, source="figures.influences", default=list, help_text="The 20 strongest."
    )
    excluded = serializers.DictField(
        child=serializers.CharField(),
        source="figures.excluded",
        default=dict,
        help_text="What it may not use, and why.",
    )


class LookalikeScoringSerializer(serializers.Serializer[Any]):
    """What the last scoring of all profiles found."""

    at = serializers.DateTimeField()
    population = serializers.IntegerField()
    reached = serializers.IntegerField(help_text="How many score the threshold at least.")
    percent = serializers.FloatField()
    lift = serializers.FloatField(help_text="Expected at this reach, by people held out.")
    seed = serializers.IntegerField()
    overlap = serializers.IntegerField(help_text="How many of those reached are in the seed.")
    drift = serializers.FloatField(
        help_text="Of the scores since the model came into force (population stability index): above 0.25 is much."
    )


class LookalikeStorySerializer(serializers.Serializer[LookalikeStatus]):
    model = LookalikeModelSerializer(allow_null=True, help_text="The one in force.")
    newest = LookalikeVersionSerializer(allow_null=True, help_text="The last attempt.")
    scoring = LookalikeScoringSerializer(allow_null=True)
    stage = serializers.CharField(help_text="looking, reading, learning, scoring, moving; empty: at rest.")
    progress = serializers.FloatField(help_text="Of the stage, 0 to 1.")
    train_at = serializers.DateTimeField(allow_null=True, help_text="When it learns next.")
    score_at = serializers.DateTimeField(allow_null=True, help_text="When everybody is scored next.")
    error = serializers.CharField()
    versions = LookalikeVersionSerializer(many=True, help_text="The last 50, newest first.")


class LookalikeTrainSerializer(StrictBody):
    random_state = serializers.IntegerField(required=False, min_value=0, max_value=services.MOST_STATE)


class LookalikeViews(GenericViewSet[Audience]):
    """Calls beside those that every audience has."""

    @extend_schema(responses=LookalikeStorySerializer, filters=False)
    @action(detail=True, pagination_class=None, filterset_fields=None)
    def model(self, request: Request, pk: str) -> Response:
        """Show a lookalike's model: how well it separates people, by what, whom it reached, and what is under way."""
        return Response(LookalikeStorySerializer(status_of(self._lookalike())).data)

    @extend_schema(request=LookalikeTrainSerializer, responses={202: LookalikeStorySerializer}, filters=False)
    @action(detail=True, methods=["post"], pagination_class=None, filterset_fields=None)
    def train(self, request: Request, pk: str) -> Response:
        """Train a new model from the seed as it is now."""
        audience = self._lookalike()
        given = read_body(LookalikeTrainSerializer, request)
        with refusals():
            services.train(audience, given.get("random_state"))
        return Response(LookalikeStorySerializer(status_of(audience)).data, status.HTTP_202_ACCEPTED)

    def _lookalike(self) -> Audience:
        audience = self.get_object()
        if audience.kind != Audience.Kind.LOOKALIKE:
            raise ConflictError("This audience follows its rule: only lookalikes have a model.")
        return audience
