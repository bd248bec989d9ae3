"""What Django cannot say: buckets are a byte, rows that change often leave room on their page (HOT updates), and
look-ups of ids find all that they ask for in the index."""

from django.db import migrations

FORWARD = """
ALTER TABLE profile ADD CONSTRAINT profile_bucket CHECK (bucket BETWEEN 0 AND 255);
-- A profile's updates touch no index: pages tidy themselves, and vacuum has little to do.
ALTER TABLE profile SET (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.2, autovacuum_vacuum_threshold = 50000,
                         autovacuum_analyze_scale_factor = 0.5, autovacuum_analyze_threshold = 50000);
ALTER TABLE identity ADD CONSTRAINT identity_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE identity DROP CONSTRAINT identity_pkey,
    ADD PRIMARY KEY (bucket, customer_id, kind, value) INCLUDE (user_id, epoch, expires_at);
ALTER TABLE identity SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE known_users ADD CONSTRAINT known_users_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE known_users SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
ALTER TABLE profile_merge ADD CONSTRAINT profile_merge_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE shared_id ADD CONSTRAINT shared_id_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE shared_id SET (fillfactor = 70);
ALTER TABLE erased ADD CONSTRAINT erased_bucket CHECK (bucket BETWEEN 0 AND 255);
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0001_tables")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
