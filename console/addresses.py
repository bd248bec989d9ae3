"""The console's pages beside Django's admin."""

from django.contrib import admin
from django.urls import path

from console import audiences, people
from console.access import choose_customer
from console.audit_log import audit_log
from console.bad_rows import bad_rows
from console.deliveries import batches, dead_letters
from console.erasures import erase_user, erasure_list, export_user
from console.exports import export_file, exports
from console.import_reading import import_reading
from console.imports import import_errors, imports
from console.lookup import look_up
from console.nobody_counts import ids_of_nobody
from console.overview import pipeline
from console.platforms import connectors, links, match_rate, platform_health
from console.rule_fields import rule_fields
from console.shared_ids import shared_ids
from console.static_lists import static_list, static_lists
from console.suspect_ids import judge_id, suspect_ids

app_name = "console"
urlpatterns = [
    path("people/", admin.site.admin_view(people.people), name="people"),
    path("people/invite/", admin.site.admin_view(people.invite), name="invite"),
    path("people/<int:pk>/", admin.site.admin_view(people.person), name="person"),
    path("people/<int:pk>/remove/", admin.site.admin_view(people.remove_person), name="remove-person"),
    path("people/invitations/<int:pk>/", admin.site.admin_view(people.revoke_invitation), name="revoke-invitation"),
    path("choose-customer/", admin.site.admin_view(choose_customer), name="choose-customer"),
    path("audiences/estimate/", admin.site.admin_view(audiences.estimate), name="estimate"),
    path("audiences/rule-fields/", admin.site.admin_view(rule_fields), name="rule-fields"),
    path("audiences/overlap/", admin.site.admin_view(audiences.overlap), name="overlap"),
    path("audiences/<int:pk>/why/", admin.site.admin_view(audiences.why), name="why"),
    path("audiences/<int:pk>/size/", admin.site.admin_view(audiences.size), name="audience-size"),
    path("audiences/<int:pk>/versions/", admin.site.admin_view(audiences.changes), name="audience-versions"),
    path(
        "audiences/<int:pk>/versions/go-back/<int:version>/",
        admin.site.admin_view(audiences.go_back),
        name="audience-go-back",
    ),
    path("lists/", admin.site.admin_view(static_lists), name="static-lists"),
    path("lists/<int:pk>/", admin.site.admin_view(static_list), name="static-list"),
    path("exports/", admin.site.admin_view(exports), name="exports"),
    path("exports/files/<int:pk>/", admin.site.admin_view(export_file), name="export-file"),
    path("users/<int:customer>/<uuid:user_id>/export/", admin.site.admin_view(export_user), name="export-user"),
    path("users/<int:customer>/<uuid:user_id>/erase/", admin.site.admin_view(erase_user), name="erase-user"),
    path("erasures/", admin.site.admin_view(erasure_list), name="erasures"),
    path("imports/", admin.site.admin_view(imports), name="imports"),
    path("imports/<int:pk>/", admin.site.admin_view(import_reading), name="import-reading"),
    path("imports/<int:pk>/errors/", admin.site.admin_view(import_errors), name="import-errors"),
    path("hot-ids/", admin.site.admin_view(shared_ids), name="shared-ids"),
    path("ids-of-nobody/", admin.site.admin_view(ids_of_nobody), name="ids-of-nobody"),
    path("suspect-ids/", admin.site.admin_view(suspect_ids), name="suspect-ids"),
    path("suspect-ids/<str:name>/<str:verdict>/", admin.site.admin_view(judge_id), name="judge-id"),
    path("connectors/", admin.site.admin_view(connectors), name="connectors"),
    path("links/", admin.site.admin_view(links), name="links"),
    path("look-up/", admin.site.admin_view(look_up), name="look-up"),
    path("match-rate/", admin.site.admin_view(match_rate), name="match-rate"),
    path("audit-log/", admin.site.admin_view(audit_log), name="audit-log"),
    path("batches/", admin.site.admin_view(batches), name="batches"),
    path("dead-letters/", admin.site.admin_view(dead_letters), name="dead-letters"),
    path("platform-health/", admin.site.admin_view(platform_health), name="platform-health"),
    path("bad-rows/", admin.site.admin_view(bad_rows), name="bad-rows"),
    path("pipeline/", admin.site.admin_view(pipeline), name="pipeline"),
]
