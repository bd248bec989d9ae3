"""What Django cannot say: buckets are a byte, and rows that change often leave room on their page (HOT updates)."""

from django.db import migrations

FORWARD = """
ALTER TABLE user_mapping ADD CONSTRAINT user_mapping_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE user_mapping SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
"""


class Migration(migrations.Migration):
    dependencies = [("usersync", "0001_tables")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
