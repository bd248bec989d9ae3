from django.apps import AppConfig


class EdgeConfig(AppConfig):
    name = "edge"
    verbose_name = "Requests"
    default_auto_field = "django.db.models.BigAutoField"
