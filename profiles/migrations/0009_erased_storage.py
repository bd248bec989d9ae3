"""What Django cannot say: a bucket is a byte."""

from django.db import migrations

FORWARD = """
ALTER TABLE erased ADD CONSTRAINT erased_bucket CHECK (bucket BETWEEN 0 AND 255);
"""


class Migration(migrations.Migration):
    dependencies = [("profiles", "0008_erased")]

    operations = [migrations.RunSQL(FORWARD, migrations.RunSQL.noop)]
