"""The time zone in which a customer's days begin, and which dates without a zone are in."""

from django.db import migrations, models

import core.models


class Migration(migrations.Migration):
    dependencies = [("core", "0017_invitation_givers")]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="time_zone",
            field=models.CharField(
                db_default="UTC",
                default="UTC",
                help_text="Its IANA name, such as Europe/Berlin: the days of rules, and dates without a zone, are its "
                "days.",
                max_length=64,
                validators=[core.models.check_time_zone],
                verbose_name="time zone",
            ),
        ),
    ]
