"""Ids that an erasure has found on its way, until texts that quote them are searched for."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline", "0004_flooded")]

    operations = [
        migrations.CreateModel(
            name="FoundId",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "erasure", "value", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("erasure", models.UUIDField()),
                ("value", models.TextField()),
            ],
            options={"db_table": "found_id"},
        ),
        migrations.RunSQL(
            "ALTER TABLE found_id ADD CONSTRAINT found_id_bucket CHECK (bucket BETWEEN 0 AND 255)",
            migrations.RunSQL.noop,
        ),
    ]
