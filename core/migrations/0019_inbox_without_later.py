"""Rows of customers that flood the inbox stay where they are: those that were set aside come back, in their order."""

from django.db import migrations, models

COME_BACK = """
UPDATE inbox SET kind = kind - 100
WHERE bucket = ANY((SELECT array_agg(b::smallint) FROM generate_series(0, 255) AS b)::smallint[]) AND kind >= 100
"""


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("core", "0018_time_zones")]

    operations = [
        migrations.RunSQL(COME_BACK, migrations.RunSQL.noop),
        migrations.RemoveIndex("inbox", "inbox_later"),
        migrations.RemoveIndex("inbox", "inbox_bulk"),
        migrations.AddIndex(
            "inbox",
            models.Index(
                models.F("bucket") + 0, models.F("id") + 0, condition=models.Q(("kind__gte", 40)), name="inbox_bulk"
            ),
        ),
    ]
