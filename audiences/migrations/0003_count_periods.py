"""A row of counts for each period: see core/count_periods.py."""

from django.db import migrations, models

FORWARD = """
ALTER TABLE audience_bucket ADD COLUMN period integer NOT NULL DEFAULT 0;
ALTER TABLE audience_bucket DROP CONSTRAINT audience_bucket_pkey, ADD PRIMARY KEY (bucket, period, audience_id);
ALTER TABLE audience_bucket ALTER COLUMN version SET DEFAULT 0, ALTER COLUMN size SET DEFAULT 0;
"""


class Migration(migrations.Migration):
    dependencies = [("audiences", "0002_storage")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(FORWARD, migrations.RunSQL.noop)],
            state_operations=[
                migrations.AddField("audiencebucket", "period", models.IntegerField(db_default=0)),
                migrations.AlterField(
                    "audiencebucket",
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "period", "audience_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                migrations.AlterField("audiencebucket", "version", models.IntegerField(db_default=0)),
                migrations.AlterField("audiencebucket", "size", models.IntegerField(db_default=0)),
            ],
        ),
    ]
