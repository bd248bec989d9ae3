"""What Django cannot say: buckets are a byte, and rows that change often leave room on their page (HOT updates)."""

from django.db import migrations

FORWARD = """
ALTER TABLE user_mapping ADD CONSTRAINT user_mapping_bucket CHECK (bucket BETWEEN 0 AND 255);
-- Of ten million rows few are on pages that are in memory: look-ups of users' ids need the index only.
ALTER TABLE user_mapping DROP CONSTRAINT user_mapping_pkey,
    ADD PRIMARY KEY (bucket, user_id, platform_id, platform_user_id) INCLUDE (customer_id, epoch);
ALTER TABLE user_mapping SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02,
                              autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE mapped_users ADD CONSTRAINT mapped_users_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE mapped_users SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
"""


class Migration(migrations.Migration):
    dependencies = [("usersync", "0001_tables")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
