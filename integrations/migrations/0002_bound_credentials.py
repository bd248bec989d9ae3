"""Credentials are stored with the addresses that they were given for: those to which each platform's settings lead now."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

import integrations.models


def bind_all(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Bind what is stored. What no key opens stays as it is: it has to be given again."""
    platforms = apps.get_model("integrations", "Platform")
    for platform in platforms._base_manager.order_by("pk"):
        if not isinstance(platform.credentials, integrations.models.UnreadableSecret):
            platform.credentials = integrations.models.bind(platform, platform.credentials)
            platform.save(update_fields=["credentials"])


class Migration(migrations.Migration):
    dependencies = [("integrations", "0001_tables")]

    operations = [
        migrations.AlterField(
            model_name="platform",
            name="credentials",
            field=integrations.models.CredentialsField(default=dict, editable=False),
        ),
        migrations.RunPython(bind_all, migrations.RunPython.noop),
    ]
