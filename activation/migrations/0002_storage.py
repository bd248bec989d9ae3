"""What Django cannot say: buckets are a byte, and rows that change often leave room on their page (HOT updates)."""

from django.db import migrations

FORWARD = """
ALTER TABLE delivery ADD CONSTRAINT delivery_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE delivery SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 20000,
                          autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 50000);
ALTER TABLE lane SET (fillfactor = 50);
"""


class Migration(migrations.Migration):
    dependencies = [("activation", "0001_tables")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
