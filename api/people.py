"""`people/`: who uses the console, with which roles; `people/invitations/`: the links by which people get one."""

from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from api.access import access_of, author_of, key_number
from api.idempotency import once
from api.resource import ListedResource, ReadableResource
from api.strict import StrictBody, read_body
from core.access import Access, Role
from core.errors import BeyondAccessError
from core.people import invitations, mails, members
from core.people.models import Invitation, RoleChoice

ALL = "null: every customer, later ones too"


class MemberRoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(RoleChoice.choices)
    customer = serializers.IntegerField(allow_null=True, help_text=ALL)


class PersonSerializer(serializers.ModelSerializer[User]):
    roles = serializers.SerializerMethodField(help_text="Those for the customers that the caller sees.")

    class Meta:
        model = User
        fields = ["id", "username", "email", "first_name", "last_name", "roles", "last_login"]

    @extend_schema_field(MemberRoleSerializer(many=True))
    def get_roles(self, user: User) -> Any:
        return MemberRoleSerializer(members.roles_of(user), many=True).data


class RolesBody(StrictBody):
    role = serializers.ChoiceField(RoleChoice.choices)
    customers = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=2**31 - 1),
        allow_empty=False,
        allow_null=True,
        max_length=1000,
        help_text=ALL,
    )


class InvitationBody(RolesBody):
    email = serializers.EmailField(required=False, help_text="The link is sent there, if the hub has a mail server.")


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    state = serializers.CharField(read_only=True, help_text="pending, accepted, revoked or expired.")

    class Meta:
        model = Invitation
        fields = [
            *("id", "role", "customers", "email", "state", "created_by", "created_at", "expires_at"),
            *("accepted_at", "revoked_at"),
        ]


class NewInvitationSerializer(InvitationSerializer):
    url = serializers.CharField(allow_null=True, help_text="The link. It is shown only now.")

    class Meta(InvitationSerializer.Meta):
        fields = [*InvitationSerializer.Meta.fields, "url"]


class PersonViewSet(ReadableResource[User]):
    """The people who have a role for one of the caller's customers. For admins only."""

    model_class = User
    serializer_class = PersonSerializer
    ordering = ("username",)
    admins_only = True

    def get_queryset(self) -> QuerySet[User]:
        return members.people_seen_by(access_of(self.request))

    @extend_schema(request=RolesBody, responses={200: PersonSerializer, 204: None})
    @once
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Give the person this role, and no other, for these of the caller's customers. Ends the person's log-ins."""
        user, access = self.get_object(), access_of(request)
        try:
            members.change_roles(access, user, _given(read_body(RolesBody, request)))
        except BeyondAccessError as error:
            raise PermissionDenied(error.message) from None
        if not self._is_seen(user):
            return Response(status=status.HTTP_204_NO_CONTENT)
        return Response(self.get_serializer(self.get_object()).data)

    @extend_schema(responses={204: None})
    @once
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Take from the person every role for the caller's customers. Ends the person's log-ins."""
        members.remove(access_of(request), self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _is_seen(self, user: User) -> bool:
        return self.get_queryset().filter(pk=user.pk).exists()


class InvitationViewSet(ListedResource[Invitation]):
    """Invitations for the caller's customers. For admins only."""

    model_class = Invitation
    serializer_class = InvitationSerializer
    ordering = ("-id",)
    admins_only = True
    shown_once = ("url",)

    def get_queryset(self) -> QuerySet[Invitation]:
        return invitations.seen_by(access_of(self.request))

    @extend_schema(request=InvitationBody, responses={201: NewInvitationSerializer})
    @once
    def create(self, request: Request) -> Response:
        """Invite somebody. The link serves once, for seven days."""
        body = read_body(InvitationBody, request)
        try:
            email, key = body.get("email", ""), key_number(request)
            row, token = invitations.invite(access_of(request), _given(body), author_of(request), email, key=key)
        except BeyondAccessError as error:
            raise PermissionDenied(error.message) from None
        url = _address(request, token)
        if row.email:
            transaction.on_commit(partial(mails.send_invitation, row, url))
        shown = {**InvitationSerializer(row).data, "url": url}
        return Response(shown, status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    @once
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revoke the invitation: its link is useless from now on. One that was accepted stays so."""
        invitations.revoke(self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)


def _given(body: dict[str, Any]) -> Access:
    customers = body["customers"]
    return Access(Role(body["role"]), None if customers is None else frozenset(customers))


def _address(request: Request, token: str) -> str:
    path = reverse("invitation", args=[token])
    return f"{settings.CONSOLE.url}{path}" if settings.CONSOLE.url else request.build_absolute_uri(path)
