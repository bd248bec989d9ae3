"""What erasures need: who gave an id up, which erasure a mark belongs to, epochs of forgotten ids."""

from uuid import UUID

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("profiles", "0005_seen_at")]

    operations = [
        migrations.CreateModel(
            name="ForgottenId",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket",
                        "customer_id",
                        "id_hash",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("customer_id", models.IntegerField()),
                ("id_hash", models.BinaryField()),
                ("epoch", models.IntegerField()),
                ("at", models.DateTimeField()),
            ],
            options={"db_table": "forgotten_id"},
        ),
        migrations.RunSQL(
            "ALTER TABLE forgotten_id ADD CONSTRAINT forgotten_id_bucket CHECK (bucket BETWEEN 0 AND 255)",
            migrations.RunSQL.noop,
        ),
        migrations.AddField("erasedid", "erasure", models.UUIDField(db_default=UUID(int=0))),
        migrations.AddField("erasedid", "key_hash", models.BinaryField(null=True)),
        migrations.AddField(
            "identity",
            "former_user_id",
            models.UUIDField(help_text="Who gave it up, while it is nobody's.", null=True),
        ),
        migrations.AddIndex(
            "identity",
            models.Index(
                models.F("bucket"),
                models.F("former_user_id"),
                condition=models.Q(("former_user_id__isnull", False)),
                name="identity_given_up",
            ),
        ),
    ]
