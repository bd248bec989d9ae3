"""Rows that are kept by themselves while an erasure is under way that was asked for before they were accepted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline", "0002_erasures")]

    operations = [
        migrations.CreateModel(
            name="KeptRow",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket",
                        "customer_id",
                        "user_id",
                        "row_bucket",
                        "row_id",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("customer_id", models.IntegerField()),
                ("user_id", models.UUIDField()),
                ("row_bucket", models.SmallIntegerField()),
                ("row_id", models.BigIntegerField()),
                ("kind", models.SmallIntegerField()),
                ("query", models.BinaryField()),
                ("body", models.BinaryField(null=True)),
                ("received_at", models.DateTimeField()),
            ],
            options={"db_table": "kept_row"},
        ),
        migrations.RunSQL(
            "ALTER TABLE kept_row ADD CONSTRAINT kept_row_bucket CHECK (bucket BETWEEN 0 AND 255)",
            migrations.RunSQL.noop,
        ),
        migrations.AddIndex(
            "erasure",
            models.Index(
                models.F("customer_id"), name="erasure_unswept", condition=models.Q(("swept_at", None))
            ),
        ),
    ]
