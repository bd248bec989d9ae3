"""What Django cannot say: buckets are a byte, and rows that change often leave room on their page (HOT updates)."""

from django.db import migrations

FORWARD = """
ALTER TABLE profile ADD CONSTRAINT profile_bucket CHECK (bucket BETWEEN 0 AND 255);
-- A profile's updates touch no index: pages tidy themselves, and vacuum has little to do.
ALTER TABLE profile SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 50000,
                         autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 50000);
ALTER TABLE identity ADD CONSTRAINT identity_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE identity SET (autovacuum_vacuum_scale_factor = 0.02);
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0001_tables")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
