"""The console's sidebar, in the order in which a marketer works."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.urls import reverse


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    return [
        _group("", _page("Overview", "dashboard", "admin:index")),
        _group(
            "Collect",
            _model("Customers", "storefront", "core", "customer"),
            _model("Pixels", "ads_click", "profiles", "pixel"),
            _model("Attributes", "sell", "profiles", "attribute"),
            _page("Imports", "upload_file", "console:imports", "pipeline.view_import"),
            _page("Shared ids", "local_fire_department", "console:shared-ids", "profiles.view_profile"),
        ),
        _group(
            "Match",
            _model("Platforms", "hub", "integrations", "platform"),
            _page("Connectors", "extension", "console:connectors", "integrations.view_platform"),
            _page("Match rate", "percent", "console:match-rate", "integrations.view_platform"),
            _page("Mail links", "link", "console:links", "integrations.change_platform"),
        ),
        _group(
            "Decide",
            _model("Audiences", "groups", "audiences", "audience"),
            _model("Lookalikes", "person_add", "lookalikes", "lookalike"),
            _page("Overlap", "join_inner", "console:overlap", "audiences.view_audience"),
        ),
        _group(
            "Activate",
            _model("Activations", "send", "activation", "activation"),
            _page("Batches", "receipt_long", "console:batches", "activation.view_batch"),
            _page("Dead letters", "mark_email_unread", "console:dead-letters", "activation.view_deadletter"),
            _page("Health of platforms", "monitor_heart", "console:platform-health", "integrations.view_platform"),
        ),
        _group(
            "Look up",
            _page("A user's story", "person_search", "console:look-up", "profiles.view_profile"),
            _page("Erasures", "person_off", "console:erasures", "profiles.delete_profile"),
        ),
        _group(
            "System",
            _page("Pipeline", "conveyor_belt", "console:pipeline"),
            _page("Bad rows", "report", "console:bad-rows", "core.view_badrow"),
            _model("API keys", "key", "core", "apikey"),
            _model("People", "person", "auth", "user"),
            _page("API reference", "api", "api:docs"),
        ),
    ]


def _group(title: str, *items: dict[str, Any]) -> dict[str, Any]:
    return {"title": title, "separator": False, "items": list(items)}


def _page(title: str, icon: str, name: str, permission: str = "") -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse(name), "permission": _holding(permission)}


def _model(title: str, icon: str, app: str, model: str) -> dict[str, Any]:
    return _page(title, icon, f"admin:{app}_{model}_changelist", f"{app}.view_{model}")


def _holding(permission: str) -> Callable[[HttpRequest], bool]:
    def allowed(request: HttpRequest) -> bool:
        return not permission or request.user.has_perm(permission)

    return allowed
