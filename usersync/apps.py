from django.apps import AppConfig


class UserSyncConfig(AppConfig):
    name = "usersync"
    verbose_name = "User sync"
    default_auto_field = "django.db.models.BigAutoField"
