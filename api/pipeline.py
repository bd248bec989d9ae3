"""`pipeline/`: how much work is under way. All numbers are zero when there is none."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.access import scope_of
from pipeline import backlog


class PipelineSerializer(serializers.Serializer[Any]):
    inbox = serializers.IntegerField(help_text="Rows accepted and not yet absorbed.")
    rechecks_due = serializers.IntegerField(help_text="Memberships that time alone may have changed.")
    building = serializers.IntegerField(help_text="Audiences not yet built.")
    deliveries_due = serializers.IntegerField(help_text="Changes to send, those that wait for a retry included.")
    in_flight = serializers.IntegerField(help_text="Changes being sent.")


class PipelineView(APIView):
    @extend_schema(responses=PipelineSerializer)
    def get(self, request: Request) -> Response:
        return Response(backlog.counts(scope_of(request)))
