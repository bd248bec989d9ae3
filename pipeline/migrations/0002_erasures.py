"""When an erasure was looked at last, so that those that wait for platforms take turns."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline", "0001_tables")]

    operations = [
        migrations.AddField(
            "erasure",
            "looked_at",
            models.DateTimeField(help_text="When it was last looked whether platforms have responded.", null=True),
        )
    ]
