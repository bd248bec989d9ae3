"""What Django is told of the hub as a whole, and of its admin."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.contrib import admin
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks
from django.core.checks import CheckMessage, Tags


class HubConfig(AppConfig):
    name = "dmphub"
    verbose_name = "System"
    default = True
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("dmphub.checks")  # registers them


class AdminConfig(SimpleAdminConfig):
    """Django's admin, whose pages are imported by who serves them (`dmphub.urls`) or checks them: workers show none."""

    def ready(self) -> None:
        checks.register(check_dependencies, Tags.admin)
        checks.register(_check_pages, Tags.admin)


def _check_pages(app_configs: Any, **more: Any) -> list[CheckMessage]:
    admin.autodiscover()
    return list(check_admin_app(app_configs, **more))
