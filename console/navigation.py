"""The console's sidebar, in the order in which a marketer works."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse


@dataclass(frozen=True, slots=True)
class NavigationItem:
    """A page in the sidebar. It is shown to those who hold the permission; without one, to everybody."""

    title: str
    icon: str
    name: str
    permission: str = ""

    def shown(self) -> dict[str, Any]:
        """Return what unfold's sidebar shows."""
        return {"title": self.title, "icon": self.icon, "link": reverse(self.name), "permission": self.allows}

    def allows(self, request: HttpRequest) -> bool:
        return not self.permission or request.user.has_perm(self.permission)


def _model(title: str, icon: str, app: str, model: str) -> NavigationItem:
    return NavigationItem(title, icon, f"admin:{app}_{model}_changelist", f"{app}.view_{model}")


GROUPS = {
    "": [NavigationItem("Overview", "dashboard", "admin:index")],
    "Collect": [
        _model("Customers", "storefront", "core", "customer"),
        _model("Pixels", "ads_click", "profiles", "pixel"),
        _model("Attributes", "sell", "profiles", "attribute"),
        NavigationItem("Imports", "upload_file", "console:imports", "pipeline.view_import"),
        NavigationItem("Shared ids", "local_fire_department", "console:shared-ids", "profiles.view_profile"),
        NavigationItem("Ids of nobody", "person_cancel", "console:ids-of-nobody", "profiles.view_attribute"),
        NavigationItem("Suspect ids", "gpp_maybe", "console:suspect-ids", "profiles.view_profile"),
    ],
    "Match": [
        _model("Platforms", "hub", "integrations", "platform"),
        NavigationItem("Connectors", "extension", "console:connectors", "integrations.view_platform"),
        NavigationItem("Match rate", "percent", "console:match-rate", "integrations.view_platform"),
        NavigationItem("Mail links", "link", "console:links", "integrations.change_platform"),
    ],
    "Decide": [
        _model("Audiences", "groups", "audiences", "audience"),
        _model("Lookalikes", "person_add", "lookalikes", "lookalike"),
        NavigationItem("Static audiences", "checklist", "console:static-lists", "audiences.view_audience"),
        NavigationItem("Overlap", "join_inner", "console:overlap", "audiences.view_audience"),
        NavigationItem("Exports", "download", "console:exports", "audiences.view_audience"),
    ],
    "Activate": [
        _model("Activations", "send", "activation", "activation"),
        NavigationItem("Batches", "receipt_long", "console:batches", "activation.view_batch"),
        NavigationItem("Dead letters", "mark_email_unread", "console:dead-letters", "activation.view_deadletter"),
        NavigationItem("Health of platforms", "monitor_heart", "console:platform-health", "integrations.view_platform"),
    ],
    "Look up": [
        NavigationItem("A user's story", "person_search", "console:look-up", "profiles.view_profile"),
        NavigationItem("Erasures", "person_off", "console:erasures", "profiles.delete_profile"),
    ],
    "System": [
        NavigationItem("Pipeline", "conveyor_belt", "console:pipeline"),
        NavigationItem("Bad rows", "report", "console:bad-rows", "core.view_badrow"),
        _model("API keys", "key", "core", "apikey"),
        NavigationItem("Audit log", "history", "console:audit-log", "core.view_auditentry"),
        NavigationItem("People", "person", "console:people", "core.change_teammember"),
        _model("Log-ins", "passkey", "auth", "user"),
        NavigationItem("API reference", "api", "api:docs"),
    ],
}


def account(request: HttpRequest) -> list[dict[str, str]]:
    """Return the links of unfold's menu beside the person's name."""
    links = {"Change password": "account_change_password", "Second factor": "mfa_index"}
    if settings.CONSOLE.single_sign_on:
        links["Single sign-on"] = "socialaccount_connections"
    links["Log out everywhere"] = "account_log_out_everywhere"
    return [{"title": title, "link": reverse(name)} for title, name in links.items()]


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return unfold's SIDEBAR navigation, without groups of which the person may see nothing."""
    return [
        {"title": title, "separator": False, "items": [item.shown() for item in items]}
        for title, items in GROUPS.items()
        if any(item.allows(request) for item in items)
    ]
