from django.apps import AppConfig


class AudiencesConfig(AppConfig):
    name = "audiences"
    verbose_name = "Decide"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from audiences import kinds
        from audiences.models import Audience
        from audiences.static_kind import StaticKind

        kinds.register(Audience.Kind.STATIC, StaticKind())
