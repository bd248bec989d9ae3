from django.apps import AppConfig


class ActivationConfig(AppConfig):
    name = "activation"
    verbose_name = "Activate"
    default_auto_field = "django.db.models.BigAutoField"
