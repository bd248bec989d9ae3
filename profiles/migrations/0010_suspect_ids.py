"""Ids that name very many browsers are stopped; ids that name nobody are counted."""

from django.db import migrations, models

FORWARD = """
ALTER TABLE watched_id ADD CONSTRAINT watched_id_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE waiting_link ADD CONSTRAINT waiting_link_bucket CHECK (bucket BETWEEN 0 AND 255);
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0009_texts_of_pixel")]

    operations = [
        migrations.CreateModel(
            "WatchedId",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket",
                        "customer_id",
                        "kind",
                        "value",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("customer_id", models.IntegerField()),
                ("kind", models.CharField(max_length=40)),
                ("value", models.TextField()),
                ("seen", models.JSONField(default=list)),
                ("suspect_at", models.DateTimeField(null=True)),
                ("verdict", models.CharField(blank=True, default="", max_length=4)),
                ("waiting", models.IntegerField(default=0)),
            ],
            options={
                "db_table": "watched_id",
                "indexes": [
                    models.Index(
                        models.F("bucket"),
                        models.F("customer_id"),
                        condition=models.Q(suspect_at__isnull=False),
                        name="watched_id_suspect",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "WaitingLink",
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
                ("kind", models.CharField(max_length=40)),
                ("value", models.TextField()),
                ("user_id", models.UUIDField()),
                ("query", models.BinaryField()),
                ("received_at", models.DateTimeField()),
            ],
            options={
                "db_table": "waiting_link",
                "indexes": [
                    models.Index(
                        models.F("bucket"),
                        models.F("customer_id"),
                        models.F("kind"),
                        models.F("value"),
                        models.F("id"),
                        name="waiting_link_by_id",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            "NobodyCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "customer_id",
                        "pixel_id",
                        "kind",
                        "why",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("customer_id", models.IntegerField()),
                ("pixel_id", models.IntegerField()),
                ("kind", models.CharField(max_length=40)),
                ("why", models.CharField(max_length=20)),
                ("times", models.BigIntegerField(default=0)),
                ("examples", models.JSONField(default=list)),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
            ],
            options={"db_table": "nobody_count"},
        ),
        migrations.RunSQL(FORWARD, migrations.RunSQL.noop),
    ]
