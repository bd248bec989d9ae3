from django.db import migrations

CONVERT = """
INSERT INTO inbox (bucket, kind, query, body, received_at)
SELECT b, 45, convert_to('{"customer":' || customer_id || '}', 'UTF8'), NULL, now()
FROM (SELECT DISTINCT customer_id FROM attribute WHERE enabled AND type = 'time') AS c, generate_series(0, 255) b
"""


class Migration(migrations.Migration):
    """Times that are stored in milliseconds, which were taken for seconds, are read again."""

    dependencies = [("profiles", "0013_pixel_activity"), ("core", "0018_time_zones")]

    operations = [migrations.RunSQL(CONVERT, migrations.RunSQL.noop)]
