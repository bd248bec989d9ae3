from django.apps import AppConfig


class LookalikesConfig(AppConfig):
    name = "lookalikes"
    verbose_name = "Lookalikes"
    default_auto_field = "django.db.models.BigAutoField"
