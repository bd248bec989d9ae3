"""Whose rows were set aside in which buckets, because their customer floods the inbox."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline", "0003_kept_rows")]

    operations = [
        migrations.CreateModel(
            name="FloodedBucket",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "customer_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("customer_id", models.IntegerField()),
            ],
            options={"db_table": "flooded"},
        ),
    ]
