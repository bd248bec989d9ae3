from django.apps import AppConfig


class HubConfig(AppConfig):
    name = "dmphub"
    verbose_name = "System"
    default_auto_field = "django.db.models.BigAutoField"
