from django.apps import AppConfig


class LookalikesConfig(AppConfig):
    name = "lookalikes"
    verbose_name = "Lookalikes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audiences import kinds
        from audiences.models import Audience
        from lookalikes.audience_kind import LookalikeKind

        kinds.register(Audience.Kind.LOOKALIKE, LookalikeKind())
