"""What was set aside is found however long the backlog that it waits in, and is no bulk work."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0012_customer_limits")]

    operations = [
        migrations.RemoveIndex("inbox", "inbox_bulk"),
        migrations.AddIndex(
            "inbox",
            models.Index(
                models.F("bucket") + 0,
                models.F("id") + 0,
                condition=models.Q(("kind__gte", 40), ("kind__lt", 100)),
                name="inbox_bulk",
            ),
        ),
        migrations.AddIndex(
            "inbox",
            models.Index(
                models.F("bucket") + 0, models.F("id") + 0, condition=models.Q(("kind__gte", 100)), name="inbox_later"
            ),
        ),
    ]
