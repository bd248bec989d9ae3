"""What profiles had no room for is counted, for each profile and each customer."""

from django.db import migrations, models

FORWARD = """
ALTER TABLE profile_excess ADD CONSTRAINT profile_excess_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE profile_excess SET (fillfactor = 70);
ALTER TABLE customer_excess ADD CONSTRAINT customer_excess_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE customer_excess SET (fillfactor = 50);
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0003_logged_in_browsers")]

    operations = [
        migrations.CreateModel(
            "ProfileExcess",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket",
                        "customer_id",
                        "user_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("customer_id", models.IntegerField()),
                ("user_id", models.UUIDField()),
                ("events", models.IntegerField()),
                ("attributes", models.BigIntegerField()),
                ("bytes", models.BigIntegerField()),
                ("names", models.JSONField()),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
            ],
            options={"db_table": "profile_excess"},
        ),
        migrations.CreateModel(
            "CustomerExcess",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "customer_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("customer_id", models.IntegerField()),
                ("events", models.BigIntegerField()),
                ("attributes", models.BigIntegerField()),
                ("bytes", models.BigIntegerField()),
                ("last_at", models.DateTimeField()),
            ],
            options={"db_table": "customer_excess"},
        ),
        migrations.RunSQL(FORWARD, migrations.RunSQL.noop),
    ]
