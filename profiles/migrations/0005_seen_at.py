"""A profile that the hub itself has changed keeps when its user was last seen."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("profiles", "0004_excess")]

    operations = [
        migrations.AddField(
            "profile",
            "seen_at",
            models.DateTimeField(
                null=True, help_text="When the user was last seen, where the hub itself changed the profile after that."
            ),
        )
    ]
