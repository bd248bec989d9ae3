"""`activations/`: audiences that are sent to platforms."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_serializer
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from activation import reconciliation, services
from activation.models import Activation
from activation.platform_status import problem_of
from api.errors import refusals
from api.health import HealthField
from api.idempotency import once
from api.personal import PersonalFields
from api.resource import CreatedResource, OwnedField, ReadableResource
from api.strict import ObjectField, StrictSerializer, read_body
from audiences.models import Audience
from integrations.models import Platform
from pipeline.health import reading


class CountsSerializer(serializers.Serializer[Any]):
    wanted = serializers.IntegerField(help_text="Ids that should be in the segment.")
    acknowledged = serializers.IntegerField(help_text="Ids that the platform confirmed.")
    due = serializers.IntegerField(help_text="Changes on their way, those that wait for a retry included.")
    waiting_for_mapping = serializers.IntegerField(help_text="Members that the platform does not know yet.")
    dead = serializers.IntegerField(help_text="Changes that the platform finally refused.")
    kept = serializers.IntegerField(
        help_text="Ids no longer wanted that the platform cannot be told to remove, or forgets by itself."
    )


class ReconcileSerializer(serializers.Serializer[Any]):
    repair = serializers.BooleanField(default=False)


@extend_schema_serializer(component_name="SegmentDifference")
class SegmentDifferenceSerializer(serializers.Serializer[Any]):
    held = serializers.IntegerField(help_text="Ids in the platform's segment.")
    missing = serializers.IntegerField(help_text="Confirmed, and not there.")
    unexpected = serializers.IntegerField(help_text="There, and nobody knows why.")
    examples = serializers.DictField(child=serializers.ListField(child=serializers.CharField()))


class TrialSerializer(serializers.Serializer[Any]):
    platform_user_id = serializers.CharField(max_length=256)


class ActivationSerializer(PersonalFields, StrictSerializer[Activation]):
    personal = ("last_error",)
    audience = OwnedField(Audience)
    platform = OwnedField(Platform)
    name = serializers.CharField(
        max_length=100,
        required=False,
        allow_blank=True,
        default="",
        help_text="Tells it apart from others of the same audience on the same platform; a part of the segment's name. "
        "Without one, a number is given where the settings differ.",
    )
    settings = ObjectField(required=False)
    segment_id = serializers.JSONField(read_only=True)
    counts = serializers.SerializerMethodField()
    progress = serializers.SerializerMethodField(
        help_text="Percent of the users looked through for the members at activation."
    )
    health = HealthField(reading.of_activations)
    # writes read the counts before they change anything: afterwards others wait for the end of the transaction
    counted: dict[str, int] | None = None

    class Meta:
        model = Activation
        fields = [
            *("id", "audience", "platform", "name", "settings", "status", "segment_id", "counts", "progress", "health"),
            *("last_error", "possible_orphan", "created_at"),
        ]
        read_only_fields = ["id", "status", "last_error", "possible_orphan"]

    def to_representation(self, instance: Activation) -> dict[str, Any]:
        """Show an activation as broken while its platform or its audience cannot be used."""
        shown = super().to_representation(instance)
        words = problem_of(instance)
        if words and instance.status in {Activation.Status.PENDING, Activation.Status.LIVE}:
            shown |= {"status": Activation.Status.BROKEN.value, "last_error": words}
        return shown

    @extend_schema_field(CountsSerializer)
    def get_counts(self, activation: Activation) -> dict[str, int]:
        listed: Mapping[int, dict[str, int]] = self.context.get("counts", {})
        return self.counted or listed.get(activation.id) or services.counts(activation)

    def get_progress(self, activation: Activation) -> int:
        return services.backfill_percent(activation.id)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if attrs["audience"].customer_id != attrs["platform"].customer_id:
            raise serializers.ValidationError({"platform": "belongs to another customer than the audience"})
        return attrs

    def create(self, validated_data: dict[str, Any]) -> Activation:
        audience, platform = validated_data["audience"], validated_data["platform"]
        self.counted = services.counts_of_new(audience, platform)
        with refusals():
            return services.activate(
                audience, platform, validated_data.get("settings", {}), validated_data.get("name", "")
            )


class ActivationViewSet(CreatedResource[Activation], ReadableResource[Activation]):
    model_class = Activation
    serializer_class = ActivationSerializer
    filterset_fields = ["audience", "platform", "status"]
    reading_actions = ("preview",)
    personal_actions = ("preview",)
    _counts: Mapping[int, dict[str, int]] = MappingProxyType({})

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        self._counts = services.counts_of(page or [])
        return page

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "counts": self._counts}

    @extend_schema(request=None, responses=ActivationSerializer)
    @action(detail=True, methods=["post"])
    @once
    def pause(self, request: Request, pk: str) -> Response:
        """Send nothing more until the activation is resumed. Changes are kept meanwhile."""
        return self._do(services.pause)

    @extend_schema(request=None, responses=ActivationSerializer)
    @action(detail=True, methods=["post"])
    @once
    def resume(self, request: Request, pk: str) -> Response:
        """Go on sending, with today's members."""
        return self._do(services.resume)

    @extend_schema(request=None, responses=ActivationSerializer)
    @action(detail=True, methods=["post"])
    @once
    def resync(self, request: Request, pk: str) -> Response:
        """Send every member again, for a platform that has lost some."""
        return self._do(services.resync)

    @extend_schema(request=None, responses=OpenApiTypes.ANY)
    @action(detail=True, methods=["post"])
    def preview(self, request: Request, pk: str) -> Response:
        """Show the exact requests that the next batch would send, without secrets. Sends nothing."""
        with refusals():
            return Response(services.preview(self.get_object()))

    @extend_schema(request=TrialSerializer, responses=OpenApiTypes.ANY)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send one id now and show the platform's answer.

        A known id is sent as it is wanted today; an unknown one is added and removed again.
        """
        asked = read_body(TrialSerializer, request)
        activation = self.get_object()
        with refusals():
            answers = services.test(activation, asked["platform_user_id"])
        services.note(activation, "test")
        return Response(answers)

    @extend_schema(request=ReconcileSerializer, responses=SegmentDifferenceSerializer)
    @action(detail=True, methods=["post"])
    def reconcile(self, request: Request, pk: str) -> Response:
        """Read the segment back and compare it with what the platform confirmed. `repair` sends the difference."""
        asked = read_body(ReconcileSerializer, request)
        activation = self.get_object()
        with refusals():
            found = reconciliation.compare(activation)
        if asked["repair"]:
            reconciliation.repair(activation, found)
            services.wake(activation.platform_id)
            services.note(activation, "repair")
        return Response(found.shown())

    @extend_schema(responses={202: ActivationSerializer})
    @once
    def destroy(self, request: Request, pk: str) -> Response:
        """End the activation: every member is removed from the platform. It is deleted once all removals were sent."""
        answer = self._do(services.deactivate)
        answer.status_code = status.HTTP_202_ACCEPTED
        return answer

    def _do(self, change: Callable[[Activation], object]) -> Response:
        activation = self.get_object()
        counts = services.counts(activation)
        with refusals():
            change(activation)
        activation.refresh_from_db()
        shown = ActivationSerializer(activation, context=self.get_serializer_context())
        shown.counted = counts
        return Response(shown.data)
