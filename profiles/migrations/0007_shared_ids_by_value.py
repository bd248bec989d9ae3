"""Ids that were set aside are found by their value: an erasure forgets them, whoever had no room for them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("profiles", "0006_erasures")]

    operations = [
        migrations.AddIndex(
            "sharedid",
            models.Index(
                models.F("bucket"), models.F("customer_id"), models.F("value"), name="shared_id_by_value"
            ),
        ),
    ]
