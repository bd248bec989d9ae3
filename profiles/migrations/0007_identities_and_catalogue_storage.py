"""What Django cannot say: a bucket is a byte. And what is there already: an enabled attribute's type was chosen."""

from django.db import migrations

FORWARD = """
ALTER TABLE profile_merge ADD CONSTRAINT profile_merge_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE hot_id ADD CONSTRAINT hot_id_bucket CHECK (bucket BETWEEN 0 AND 255);
ALTER TABLE hot_id SET (fillfactor = 70);
UPDATE attribute SET fixed = true WHERE enabled;
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0006_identities_and_catalogue")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
