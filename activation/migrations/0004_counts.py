"""Counts of an activation, kept as what they count changes; what is there already is counted once, here."""

from django.db import migrations, models

FORWARD = """
ALTER TABLE activation_count ADD CONSTRAINT activation_count_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE activation_count SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05,
                                autovacuum_vacuum_threshold = 5000);
INSERT INTO activation_count (bucket, activation_id, locked, wanted, acknowledged, due, in_flight, dead, kept)
SELECT bucket, activation_id, true, count(*) FILTER (WHERE wanted), count(*) FILTER (WHERE acknowledged),
       count(*) FILTER (WHERE due_at IS NOT NULL),
       count(*) FILTER (WHERE due_at IS NOT NULL AND claim IS NOT NULL), count(*) FILTER (WHERE dead),
       count(*) FILTER (WHERE NOT wanted AND acknowledged IS DISTINCT FROM false AND due_at IS NULL AND NOT dead)
FROM delivery GROUP BY bucket, activation_id;
INSERT INTO activation_count (bucket, activation_id, locked, matched)
SELECT m.bucket, a.id, true, count(*)
FROM activation a JOIN membership m ON m.audience_id = a.audience_id AND m.member
WHERE EXISTS (SELECT 1 FROM user_mapping x
              WHERE x.bucket = m.bucket AND x.user_id = m.user_id AND x.platform_id = a.platform_id)
GROUP BY m.bucket, a.id
ON CONFLICT (bucket, activation_id, locked) DO UPDATE SET matched = excluded.matched;
"""
STATES = ("wanted", "acknowledged", "due", "in_flight", "dead", "kept", "matched")


class Migration(migrations.Migration):
    dependencies = [
        ("activation", "0003_bulk_changes"),
        ("audiences", "0002_storage"),
        ("usersync", "0002_storage"),
    ]

    operations = [
        migrations.CreateModel(
            name="ActivationCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "bucket", "activation_id", "locked", blank=True, editable=False, primary_key=True,
                        serialize=False,
                    ),
                ),
                ("bucket", models.SmallIntegerField()),
                ("activation_id", models.IntegerField()),
                ("locked", models.BooleanField()),
                *((state, models.IntegerField(db_default=0)) for state in STATES),
            ],
            options={
                "db_table": "activation_count",
                "indexes": [models.Index("activation_id", name="activation_count_by_activation")],
            },
        ),
        migrations.RunSQL(FORWARD, migrations.RunSQL.noop),
    ]
