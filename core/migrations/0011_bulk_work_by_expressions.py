"""Looks for bulk work cannot use another index than theirs, whatever the statistics of the table say."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0010_invitations")]

    operations = [
        migrations.RemoveIndex(model_name="inbox", name="inbox_bulk"),
        migrations.AddIndex(
            model_name="inbox",
            index=models.Index(
                models.F("bucket") + 0, models.F("id") + 0, condition=models.Q(("kind__gte", 40)), name="inbox_bulk"
            ),
        ),
    ]
