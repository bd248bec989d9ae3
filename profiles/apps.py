from django.apps import AppConfig


class ProfilesConfig(AppConfig):
    name = "profiles"
    verbose_name = "Collect"
    default_auto_field = "django.db.models.BigAutoField"
