"""What Django cannot say: a bucket is a byte, and counters leave room on their page (HOT updates). And what is
there already: users are counted, ids of mappings with an end get theirs. Look-ups of
ids find all that they ask for in the index."""

from django.db import migrations

FORWARD = """
ALTER TABLE identity DROP CONSTRAINT identity_pkey,
    ADD PRIMARY KEY (bucket, customer_id, kind, value) INCLUDE (user_id, epoch, expires_at);
ALTER TABLE identity SET (autovacuum_vacuum_insert_scale_factor = 0.05);
ALTER TABLE known_users ADD CONSTRAINT known_users_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE known_users SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
INSERT INTO known_users (bucket, customer_id, users)
SELECT bucket, customer_id, count(*) FROM profile
WHERE confirmed AND merged_into IS NULL AND NOT opted_out
GROUP BY bucket, customer_id;
UPDATE identity i SET expires_at = m.expires_at FROM user_mapping m
WHERE m.expires_at IS NOT NULL AND i.customer_id = m.customer_id AND i.kind = 'platform:' || m.platform_id
  AND i.value = m.platform_user_id AND i.user_id = m.user_id;
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0004_known_users"), ("usersync", "0002_storage")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
