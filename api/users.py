"""`users/{user_id}/`: the whole story of one user; `erasures/`: the proof of who was erased, without the data;
`hot-ids/`: shared ids, which were set aside instead of merging users."""

from typing import Any
from uuid import UUID

import django_filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.access import customer_named, key_name
from api.filters import NumberFilter
from api.idempotency import once
from api.resource import ListedResource, ReadableResource
from pipeline.models import Erasure
from pipeline.privacy import erasures
from pipeline.privacy.export import export
from pipeline.stories import story
from profiles.models import SharedId

OF_CUSTOMER = OpenApiParameter("customer", OpenApiTypes.INT, description="Needed unless the key has one.")


class ActivitySerializer(serializers.Serializer[Any]):
    first = serializers.DateTimeField()
    last = serializers.DateTimeField()
    count = serializers.IntegerField()


class IdentitySerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    value = serializers.CharField()


class UserMappingSerializer(serializers.Serializer[Any]):
    platform = serializers.IntegerField()
    platform_user_id = serializers.CharField()
    synced_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    extra = serializers.DictField()


class UserAudienceSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField(allow_null=True)


class UserDeliverySerializer(serializers.Serializer[Any]):
    activation = serializers.IntegerField()
    platform = serializers.IntegerField()
    platform_user_id = serializers.CharField()
    wanted = serializers.BooleanField()
    acknowledged = serializers.BooleanField(allow_null=True)
    state = serializers.CharField()
    at = serializers.DateTimeField()
    error = serializers.CharField()


class CauseSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(help_text="Of the id that both were seen with.")
    value = serializers.CharField()
    pixel = serializers.IntegerField(allow_null=True)


class UserMergeSerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField(help_text="The younger one, which answers with `into` since.")
    into = serializers.UUIDField()
    cause = CauseSerializer()
    at = serializers.DateTimeField()


class SetAsideSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    value = serializers.CharField()
    times = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()


class SizeSerializer(serializers.Serializer[Any]):
    attributes = serializers.IntegerField()
    bytes = serializers.IntegerField(help_text="Of the attributes' JSON.")
    most_attributes = serializers.IntegerField()
    most_bytes = serializers.IntegerField()


class ExcessSerializer(serializers.Serializer[Any]):
    """Attributes for which there was no room: the values are bad rows."""

    events = serializers.IntegerField()
    attributes = serializers.IntegerField()
    bytes = serializers.IntegerField()
    names = serializers.ListField(child=serializers.CharField(), help_text="Some of the last ones.")
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()


class StorySerializer(serializers.Serializer[Any]):
    user_id = serializers.UUIDField()
    customer = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    attributes = serializers.DictField()
    dimensions = serializers.DictField()
    activity = serializers.DictField(child=ActivitySerializer())
    identities = IdentitySerializer(many=True)
    merges = UserMergeSerializer(many=True)
    set_aside = SetAsideSerializer(many=True, help_text="Ids for which the user has too many already.")
    size = SizeSerializer()
    excess = ExcessSerializer(allow_null=True)
    mappings = UserMappingSerializer(many=True)
    audiences = UserAudienceSerializer(many=True)
    deliveries = UserDeliverySerializer(many=True)


class PlatformProofSerializer(serializers.Serializer[dict[str, int]]):
    """Counted in ids of segments."""

    open = serializers.IntegerField(required=False, help_text="The platform still has to remove them.")
    acknowledged = serializers.IntegerField(required=False, help_text="It said that it has removed them.")
    kept = serializers.IntegerField(required=False, help_text="It cannot be told.")
    given_up = serializers.IntegerField(required=False, help_text="It never answered.")


class ErasureSerializer(serializers.ModelSerializer[Erasure]):
    customer = serializers.IntegerField(source="customer_id")
    state = serializers.SerializerMethodField(help_text="erasing, then waiting for platforms, then done.")
    platforms = serializers.SerializerMethodField(help_text="By the platform's number.")

    class Meta:
        model = Erasure
        fields = ["id", "customer", "requested_by", "requested_at", "state", "platforms", "swept_at", "finished_at"]

    def get_state(self, row: Erasure) -> str:
        return row.state

    @extend_schema_field(serializers.DictField(child=PlatformProofSerializer()))
    def get_platforms(self, row: Erasure) -> dict[str, dict[str, int]]:
        return dict(row.platforms)


class UserView(APIView):
    shows_persons = True

    @extend_schema(
        responses=StorySerializer,
        parameters=[OF_CUSTOMER],
    )
    def get(self, request: Request, user_id: UUID) -> Response:
        """Show what is known of a user. The id of a merged profile shows the survivor."""
        found = story(customer_named(request), user_id)
        if found is None:
            raise NotFound("This customer has no such user.")
        return Response(StorySerializer(found).data)

    @extend_schema(
        request=None,
        responses={202: ErasureSerializer},
        parameters=[OF_CUSTOMER],
    )
    @once
    def delete(self, request: Request, user_id: UUID) -> Response:
        """Erase the user and all that was merged into it; platforms have to remove its ids.

        Returns the proof at once; `erasures/` goes on showing it. Where nobody is known, data that is under way is
        dropped.
        """
        erasure = erasures.request(customer_named(request), user_id, f"API key {key_name(request)}")
        return Response(ErasureSerializer(erasure).data, 202)


class UserExportView(APIView):
    shows_persons = True

    @extend_schema(
        responses=OpenApiTypes.OBJECT,
        parameters=[OF_CUSTOMER],
    )
    def get(self, request: Request, user_id: UUID) -> Response:
        """Export everything that the hub holds on a user, table by table."""
        found = export(customer_named(request), user_id)
        if found is None:
            raise NotFound("This customer has no such user.")
        return Response(found, headers={"Content-Disposition": f'attachment; filename="user-{user_id}.json"'})


class ErasureFilter(django_filters.FilterSet):
    customer = NumberFilter("customer_id")


class ErasureViewSet(ReadableResource[Erasure]):
    model_class = Erasure
    serializer_class = ErasureSerializer
    filterset_class = ErasureFilter
    ordering = ("-requested_at", "-id")
    lookup_value_regex = "[0-9a-f-]{36}"


class HotIdSerializer(serializers.ModelSerializer[SharedId]):
    customer = serializers.IntegerField(source="customer_id")

    class Meta:
        model = SharedId
        fields = ["customer", "user_id", "kind", "value", "times", "first_at", "last_at"]


class HotIdViewSet(ListedResource[SharedId]):
    """Shared ids: with them a user would have more ids than a person has, so they were set aside."""

    model_class = SharedId
    serializer_class = HotIdSerializer
    filterset_fields = ["kind"]
    personal_actions = ("list",)
    ordering = ("bucket", "customer_id", "user_id", "kind", "value")
