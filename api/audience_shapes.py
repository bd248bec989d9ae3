"""Bodies and answers of the calls of `audiences/` that do not concern its rows."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from api.resource import customer_field
from api.strict import StrictBody
from audiences.models import AudienceVersion, Membership


@extend_schema_field(OpenApiTypes.OBJECT)
class WrittenRule(serializers.JSONField):
    """The JSON of react-querybuilder."""


class RuleBody(StrictBody):
    rule = WrittenRule()


class EstimateBody(RuleBody):
    customer = customer_field()


class VersionBody(StrictBody):
    version = serializers.IntegerField(min_value=1)


class MemberSerializer(serializers.ModelSerializer[Membership]):
    class Meta:
        model = Membership
        fields = ["user_id", "since"]


class VersionSerializer(serializers.ModelSerializer[AudienceVersion]):
    rule = WrittenRule()

    class Meta:
        model = AudienceVersion
        fields = ["version", "change", "by", "at", "rule", "ttl"]


class CountSerializer(serializers.Serializer[Any]):
    estimate = serializers.IntegerField()
    low = serializers.IntegerField(help_text="At least so many, 95 times in 100.")
    high = serializers.IntegerField(help_text="At most so many, 95 times in 100.")


class UnknownSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(help_text="The rule in words.")
    without_value = CountSerializer(
        help_text="Those of them whom it describes only because they have no value: a missing one fulfils a negative"
        " condition."
    )
    only_where_known = serializers.JSONField(
        allow_null=True, help_text="The rule without them, where there are some and it is no longer than a rule may be."
    )


class EstimateSerializer(CountSerializer, UnknownSerializer):
    exact = serializers.BooleanField(help_text="Counted one and all; else estimated from a sample.")
    sample = serializers.ListField(child=serializers.UUIDField(), help_text="Some of those whom it describes.")


class DifferenceSerializer(UnknownSerializer):
    members = CountSerializer(help_text="Whom the rule describes.")
    enter = CountSerializer(help_text="Those of them who are not members yet.")
    leave = CountSerializer(help_text="Members whom it does not describe.")
    exact = serializers.BooleanField()


class ExplanationSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField(help_text="The survivor, where the user was merged.")
    member = serializers.BooleanField()
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True, help_text="When time alone may change the answer.")
    eligible = serializers.BooleanField(help_text="Confirmed and not opted out: only then a member of anything.")
    tree = serializers.DictField(
        help_text="The rule; each part with true, until, and conditions with found and text. Of a lookalike: true,"
        " score, threshold, and the chance to be in the seed."
    )
    expiry = serializers.DictField(allow_null=True, help_text="The same of the ttl.")


class PointSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text="The beginning of the hour or day, UTC; the last is the present one.")
    size = serializers.IntegerField(help_text="At its end.")
    entered = serializers.IntegerField()
    left = serializers.IntegerField()


class PairSerializer(serializers.Serializer[Any]):
    audiences = serializers.ListField(child=serializers.IntegerField(), min_length=2, max_length=2)
    users = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True, help_text="Of the smaller of the two, 0 to 1.")


class OverlapSerializer(serializers.Serializer[Any]):
    sizes = serializers.DictField(child=serializers.IntegerField())
    pairs = PairSerializer(many=True)
    all = serializers.IntegerField(help_text="Users in every one of them.")
    any = serializers.IntegerField(help_text="Users in at least one.")
    exact = serializers.BooleanField()
