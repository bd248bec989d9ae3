"""`dead-letters/`: changes that a platform finally refused, and why."""

from typing import Any

import django_filters
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from activation import dead_letters
from activation.models import Activation, DeadLetter, LetterReplay
from activation.stores.dead_letters import Key
from api.filters import NumberFilter
from api.idempotency import once
from api.personal import PersonalFields
from api.resource import ListedResource, OwnedField
from api.strict import StrictBody, read_body

# replays shown
LATEST = 50


class DeadLetterSerializer(PersonalFields, serializers.ModelSerializer[DeadLetter]):
    personal = ("id", "platform_user_id", "user_id", "reason", "response_excerpt")
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
    activation = NumberFilter("activation_id")
    platform = NumberFilter("platform_id")


@extend_schema_serializer(component_name="DeadLetterReplay")
class DeadLetterReplaySerializer(StrictBody):
    """Either some letters, or all of an activation."""

    ids = serializers.ListField(
        child=serializers.CharField(max_length=2_000),
        allow_empty=False,
        max_length=1000,
        required=False,
        help_text="From the list.",
    )
    activation = OwnedField(Activation, required=False, help_text="All of it.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if len(attrs) != 1:
            raise ValidationError({"ids": ErrorDetail("Give either ids or an activation.", "invalid")})
        return attrs

    def validate_ids(self, ids: list[str]) -> list[Key]:
        try:
            return [dead_letters.key(text) for text in ids]
        except ValueError as wrong:
            raise ValidationError(ErrorDetail(f"{wrong} is no id of this list.", "invalid")) from None


class ReplayProgressSerializer(serializers.Serializer[Any]):
    """A replay that runs in the background."""

    id = serializers.IntegerField(source="replay.pk")
    activation = serializers.IntegerField(source="replay.activation_id")
    requested_at = serializers.DateTimeField(source="replay.requested_at")
    letters = serializers.IntegerField(source="replay.letters", help_text="How many there were.")
    replayed = serializers.IntegerField(help_text="Sent again so far.")
    percent = serializers.IntegerField(help_text="Of the hub's buckets that are done.")
    done = serializers.BooleanField(source="is_done")


class ReplayedLettersSerializer(serializers.Serializer[Any]):
    replayed = serializers.IntegerField(help_text="Letters that are sent again.")
    replay = serializers.IntegerField(
        required=False, help_text="Where they are many: the id of the replay in the background, as in `replays/`."
    )


class DeadLetterViewSet(ListedResource[DeadLetter]):
    model_class = DeadLetter
    serializer_class = DeadLetterSerializer
    filterset_class = DeadLetterFilter
    ordering = ("died_at", "bucket", "activation_id", "platform_user_id")

    @extend_schema(request=DeadLetterReplaySerializer, responses=ReplayedLettersSerializer)
    @action(detail=False, methods=["post"])
    @once
    def replay(self, request: Request) -> Response:
        """Send the ids of these letters again, as they are wanted today: each once, many of them in the background."""
        asked = read_body(DeadLetterReplaySerializer, request, self.get_serializer_context())
        letters = self.get_queryset()
        if "ids" in asked:
            return Response({"replayed": dead_letters.replay(dead_letters.named(letters, asked["ids"]))})
        activation = asked["activation"]
        number, job = dead_letters.replay_all(letters.filter(activation_id=activation.pk), activation)
        return Response({"replayed": number} | ({} if job is None else {"replay": job.pk}))

    @extend_schema(responses=ReplayProgressSerializer(many=True), filters=False)
    @action(detail=False, methods=["get"], pagination_class=None)
    def replays(self, request: Request) -> Response:
        """Show how far the latest replays in the background have come."""
        jobs = self.rows_of(LetterReplay).order_by("-id")[:LATEST]
        return Response(ReplayProgressSerializer(dead_letters.progress(jobs), many=True).data)
