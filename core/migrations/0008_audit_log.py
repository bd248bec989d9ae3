"""The audit log."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0007_key_limits")]

    operations = [
        migrations.CreateModel(
            name="AuditEntry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_index=True)),
                (
                    "actor_kind",
                    models.CharField(
                        choices=[
                            ("person", "Person"),
                            ("key", "Key"),
                            ("command", "Command"),
                            ("hub", "Hub"),
                            ("nobody", "nobody: who it was is not known"),
                        ],
                        max_length=8,
                    ),
                ),
                ("actor", models.CharField(max_length=200)),
                ("actor_number", models.CharField(max_length=40)),
                (
                    "door",
                    models.CharField(
                        choices=[
                            ("api", "API"),
                            ("console", "Console"),
                            ("command line", "Command Line"),
                            ("edge", "Edge"),
                            ("hub", "Hub"),
                        ],
                        max_length=12,
                    ),
                ),
                ("address", models.CharField(max_length=45)),
                ("customer_id", models.IntegerField(null=True)),
                ("action", models.CharField(max_length=40)),
                ("object", models.CharField(max_length=40)),
                ("object_number", models.CharField(max_length=60)),
                ("name", models.CharField(max_length=300)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
            ],
            options={
                "db_table": "audit_entry",
                "ordering": ["-id"],
                "verbose_name_plural": "audit log",
                "indexes": [models.Index("customer_id", models.OrderBy(models.F("id"), descending=True), name="audit_entry_by_customer")],
            },
        ),
    ]
