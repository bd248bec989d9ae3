from importlib import import_module

from django.apps import AppConfig


class HubConfig(AppConfig):
    name = "dmphub"
    verbose_name = "System"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("dmphub.checks")  # registers them
