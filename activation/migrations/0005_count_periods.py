"""A row of counts for each period (core/count_periods.py), and a row of a lane for each holder."""

from django.db import migrations, models

FORWARD = """
ALTER TABLE activation_count ADD COLUMN period integer NOT NULL DEFAULT 0;
ALTER TABLE activation_count DROP CONSTRAINT activation_count_pkey, ADD PRIMARY KEY (bucket, period, activation_id, locked);
ALTER TABLE lane DROP CONSTRAINT lane_pkey, ADD PRIMARY KEY (platform_id, lane, fence);
"""


class Migration(migrations.Migration):
    dependencies = [("activation", "0004_counts")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, migrations.RunSQL.noop)],
            state_operations=[
                migrations.AddField("activationcount", "period", models.IntegerField(db_default=0)),
                migrations.AlterField(
                    "activationcount",
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "period", "activation_id", "locked", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                migrations.AlterField(
                    "lane",
                    "pk",
                    models.CompositePrimaryKey(
                        "platform_id", "lane", "fence", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
        ),
    ]
