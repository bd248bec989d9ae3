"""What Django cannot say: a bucket is a byte, and counters leave room on their page (HOT updates). And what is
mapped already is counted. Look-ups of users' ids find all that they ask for in the index: of ten million rows,
few are on pages that are in memory. Syncing anew changes no index."""

from django.db import migrations

FORWARD = """
ALTER TABLE user_mapping DROP CONSTRAINT user_mapping_pkey,
    ADD PRIMARY KEY (bucket, user_id, platform_id, platform_user_id) INCLUDE (customer_id, epoch);
ALTER TABLE user_mapping SET (autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE mapped_users ADD CONSTRAINT mapped_users_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE mapped_users SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
INSERT INTO mapped_users (bucket, platform_id, users, newest_sync)
SELECT bucket, platform_id, count(DISTINCT user_id), max(synced_at) FROM user_mapping GROUP BY bucket, platform_id;
"""


class Migration(migrations.Migration):
    dependencies = [("usersync", "0003_match_rates")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
