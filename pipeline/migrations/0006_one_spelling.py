from django.db import migrations

RESPELL = """
INSERT INTO inbox (bucket, kind, query, body, received_at)
SELECT b, 49, convert_to('{"customer":' || m || '}', 'UTF8'), NULL, now() FROM customer, generate_series(0, 255) b
"""


class Migration(migrations.Migration):
    """Ids that are stored in a spelling of their sender name their users in the one spelling, too."""

    dependencies = [("pipeline", "0005_found_ids"), ("core", "0016_own_ids")]

    operations = [migrations.RunSQL(RESPELL, migrations.RunSQL.noop)]
