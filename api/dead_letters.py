"""`dead-letters/`: changes that a platform finally refused, and why."""

from typing import Any

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_serializer, inline_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from activation import dead_letters
from activation.models import Activation, DeadLetter
from activation.stores.dead_letters import Key
from api.idempotency import once
from api.resource import ListedResource, OwnedField, of_owned_platforms
from api.strict import StrictBody, read_body


class DeadLetterSerializer(serializers.ModelSerializer[DeadLetter]):
    id = serializers.SerializerMethodField(help_text="Name it so in a replay.")
    activation = serializers.IntegerField(source="activation_id")
    platform = serializers.IntegerField(source="platform_id")
    operation = serializers.ChoiceField(["add", "remove"])

    class Meta:
        model = DeadLetter
        fields = [
            *("id", "activation", "platform", "platform_user_id", "user_id", "operation", "reason"),
            *("response_excerpt", "attempts", "batch", "died_at"),
        ]

    def get_id(self, letter: DeadLetter) -> str:
        return dead_letters.name(letter)


class DeadLetterFilter(django_filters.FilterSet):
    activation = django_filters.NumberFilter("activation_id")
    platform = django_filters.NumberFilter("platform_id")


@extend_schema_serializer(component_name="Replay")
class DeadLetterReplaySerializer(StrictBody):
    """Either some letters, or all of an activation."""

    ids = serializers.ListField(
        child=serializers.CharField(max_length=2_000),
        allow_empty=False,
        max_length=1000,
        required=False,
        help_text="From the list.",
    )
    activation = OwnedField(
        queryset=Activation.objects.all(), customer_path="audience__customer_id", required=False, help_text="All of it."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise ValidationError({"ids": ErrorDetail("Give either ids or an activation.", "invalid")})
        return attrs

    def validate_ids(self, ids: list[str]) -> list[Key]:
        try:
            return [dead_letters.key(text) for text in ids]
        except ValueError as wrong:
            raise ValidationError(ErrorDetail(f"{wrong} is no id of this list.", "invalid")) from None


class DeadLetterViewSet(ListedResource[DeadLetter]):
    queryset = DeadLetter.objects.all()
    serializer_class = DeadLetterSerializer
    filterset_class = DeadLetterFilter
    ordering = ("died_at", "bucket", "activation_id", "platform_user_id")

    def get_queryset(self) -> QuerySet[DeadLetter]:
        return of_owned_platforms(self.request, DeadLetter.objects.all())

    @extend_schema(
        request=DeadLetterReplaySerializer,
        responses=inline_serializer("ReplayedLetters", {"replayed": serializers.IntegerField()}),
    )
    @action(detail=False, methods=["post"])
    @once
    def replay(self, request: Request) -> Response:
        """Send the ids of these letters again, as they are wanted today."""
        asked = read_body(DeadLetterReplaySerializer, request, self.get_serializer_context())
        letters = self.get_queryset()
        if "ids" in asked:
            letters = dead_letters.named(letters, asked["ids"])
        else:
            letters = letters.filter(activation_id=asked["activation"].pk)
        return Response({"replayed": dead_letters.replay(letters)})
