"""The addresses below `/api/v1/`."""

import threading
from typing import Any, ClassVar

from django.http import HttpResponse
from django.urls import path, re_path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView

from api.activations import ActivationViewSet
from api.api_keys import ApiKeyViewSet
from api.attributes import AttributeViewSet
from api.audiences import AudienceViewSet
from api.audit_log import AuditLogViewSet
from api.bad_rows import BadRowViewSet
from api.batches import BatchViewSet
from api.customers import CustomerViewSet
from api.dead_letters import DeadLetterViewSet
from api.exports import ExportViewSet
from api.import_options import ImportTemplateViewSet
from api.import_schedules import ImportScheduleViewSet
from api.imports import ImportViewSet
from api.mappings import MappingViewSet
from api.people import InvitationViewSet, PersonViewSet
from api.pipeline import PipelineView
from api.pixels import PixelViewSet
from api.platform_views import LinkViewSet, MatchRateView, PublishViewSet
from api.platforms import PlatformViewSet
from api.suspect_ids import SuspectIdViewSet
from api.users import ErasureViewSet, HotIdViewSet, UserExportView, UserView

router = SimpleRouter()
router.register("api-keys", ApiKeyViewSet)
router.register("audit-log", AuditLogViewSet)
router.register("customers", CustomerViewSet)
router.register("pixels", PixelViewSet)
router.register("attributes", AttributeViewSet)
router.register("platforms", PlatformViewSet)
router.register("audiences", AudienceViewSet)
router.register("activations", ActivationViewSet)
router.register("batches", BatchViewSet)
router.register("dead-letters", DeadLetterViewSet)
router.register("bad-rows", BadRowViewSet)
router.register("hot-ids", HotIdViewSet)
router.register("suspect-ids", SuspectIdViewSet)
router.register("mappings", MappingViewSet)
router.register("imports/templates", ImportTemplateViewSet)
router.register("imports/schedules", ImportScheduleViewSet)
router.register("imports", ImportViewSet)
router.register("exports", ExportViewSet)
router.register("erasures", ErasureViewSet)
router.register("people/invitations", InvitationViewSet)
router.register("people", PersonViewSet, "person")


class NowhereView(APIView):
    """Refuses an address that does not exist, in the API's shape of errors."""

    permission_classes = []
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        super().initial(request, *args, **kwargs)
        raise NotFound("There is no such address; /api/v1/docs/ lists them.")

    def get(self, request: Request) -> Response:
        raise NotImplementedError


class SchemaView(SpectacularAPIView):
    """The schema, made once in each process: that takes a second, and anybody may ask for it."""

    _lock: ClassVar = threading.Lock()
    _made: ClassVar[dict[str, bytes]] = {}

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        form = request.accepted_renderer.media_type
        with self._lock:
            if form not in self._made:
                view: Any = super()
                made = self.finalize_response(request, view.get(request, *args, **kwargs))
                self._made[form] = made.render().content
        return HttpResponse(self._made[form], form)


app_name = "api"
urlpatterns = [
    *router.urls,
    path("platforms/<int:pk>/links/", LinkViewSet.as_view({"post": "create"}), name="platform-links"),
    path("platforms/<int:pk>/publish/", PublishViewSet.as_view({"post": "create"}), name="platform-publish"),
    path("platforms/<int:pl>/match-rate/", MatchRateView.as_view(), name="match-rate"),
    path("users/<uuid:user_id>/export/", UserExportView.as_view(), name="user-export"),
    path("users/<uuid:user_id>/", UserView.as_view(), name="user"),
    path("pipeline/", PipelineView.as_view(), name="pipeline"),
    path("schema/", SchemaView.as_view(), name="schema"),
    path("docs/", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
    re_path("", NowhereView.as_view(), name="nowhere"),
]
