"""A row of counts for each period: see core/count_periods.py."""

from django.db import migrations, models

FORWARD = """
ALTER TABLE known_users ADD COLUMN period integer NOT NULL DEFAULT 0;
ALTER TABLE known_users DROP CONSTRAINT known_users_pkey, ADD PRIMARY KEY (bucket, period, customer_id);
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0010_suspect_ids")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, migrations.RunSQL.noop)],
            state_operations=[
                migrations.AddField("knownusers", "period", models.IntegerField(db_default=0)),
                migrations.AlterField(
                    "knownusers",
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "period", "customer_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
        ),
    ]
