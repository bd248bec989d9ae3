"""How far bulk changes of deliveries have come: the end of an activation, and replays of dead letters."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("activation", "0002_storage")]

    operations = [
        migrations.CreateModel(
            name="Withdrawal",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "activation_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("activation_id", models.IntegerField()),
            ],
            options={"db_table": "activation_withdrawal"},
        ),
        migrations.CreateModel(
            name="LetterReplay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("customer_id", models.IntegerField(null=True)),
                ("activation_id", models.IntegerField(null=True)),
                ("reason", models.TextField(blank=True)),
                ("letters", models.IntegerField()),
                ("requested_at", models.DateTimeField()),
            ],
            options={"db_table": "dead_letter_replay"},
        ),
        migrations.CreateModel(
            name="ReplayedBucket",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "replay_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("replay_id", models.BigIntegerField()),
                ("replayed", models.IntegerField(db_default=0)),
                ("done", models.BooleanField(db_default=False)),
            ],
            options={"db_table": "dead_letter_replay_bucket"},
        ),
        migrations.RunSQL(
            """
            ALTER TABLE activation_withdrawal ADD CONSTRAINT activation_withdrawal_bucket
                CHECK (bucket BETWEEN 0 AND 255);
            ALTER TABLE dead_letter_replay_bucket ADD CONSTRAINT dead_letter_replay_bucket_bucket
                CHECK (bucket BETWEEN 0 AND 255);
            """,
            migrations.RunSQL.noop,
        ),
    ]
