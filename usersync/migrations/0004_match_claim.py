"""Matches that an id which is not confirmed would take from somebody wait until it is."""

from django.db import migrations, models

FORWARD = "ALTER TABLE match_claim ADD CONSTRAINT match_claim_bucket CHECK (bucket BETWEEN 0 AND 255);"


class Migration(migrations.Migration):
    dependencies = [("usersync", "0003_count_periods")]

    operations = [
        migrations.CreateModel(
            "MatchClaim",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("id", models.BigIntegerField()),
                ("customer_id", models.IntegerField()),
                ("user_id", models.UUIDField()),
                ("platform_id", models.IntegerField()),
                ("platform_user_id", models.TextField()),
                ("sync", models.JSONField()),
                ("received_at", models.DateTimeField()),
            ],
            options={
                "db_table": "match_claim",
                "indexes": [
                    models.Index(
                        models.F("bucket"), models.F("customer_id"), models.F("user_id"), name="match_claim_user"
                    )
                ],
            },
        ),
        migrations.RunSQL(FORWARD, migrations.RunSQL.noop),
    ]
