"""A row of counts for each period: see core/count_periods.py."""

from django.db import migrations, models

FORWARD = """
ALTER TABLE mapped_users ADD COLUMN period integer NOT NULL DEFAULT 0;
ALTER TABLE mapped_users DROP CONSTRAINT mapped_users_pkey, ADD PRIMARY KEY (bucket, period, platform_id);
"""


class Migration(migrations.Migration):
    dependencies = [("usersync", "0002_storage")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, migrations.RunSQL.noop)],
            state_operations=[
                migrations.AddField("mappedusers", "period", models.IntegerField(db_default=0)),
                migrations.AlterField(
                    "mappedusers",
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "period", "platform_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
            ],
        ),
    ]
