"""Pixels may take signed requests only."""

from django.db import migrations, models

import integrations.models


class Migration(migrations.Migration):
    dependencies = [("profiles", "0007_shared_ids_by_value")]

    operations = [
        migrations.AddField(
            "pixel",
            "auth",
            models.CharField(
                choices=[("open", "open: anybody may send"), ("signed", "signed: only who holds the secret")],
                db_default="open",
                default="open",
                max_length=6,
            ),
        ),
        migrations.AddField(
            "pixel", "signing_secrets", integrations.models.SecretField(editable=False, null=True)
        ),
    ]
