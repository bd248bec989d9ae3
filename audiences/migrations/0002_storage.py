"""What Django cannot say: buckets are a byte, and rows that change often leave room on their page (HOT updates)."""

from django.db import migrations

FORWARD = """
ALTER TABLE membership ADD CONSTRAINT membership_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE membership SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
                            autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 50000);
ALTER TABLE audience_bucket ADD CONSTRAINT audience_bucket_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE audience_bucket SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
"""


class Migration(migrations.Migration):
    dependencies = [("audiences", "0001_tables")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
