"""A pixel lists the sites whose pages may read its answers."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

from profiles.models.pixels import ORIGINS_HELP, check_origin


class Migration(migrations.Migration):
    dependencies = [("profiles", "0011_count_periods")]

    operations = [
        migrations.AddField(
            "pixel",
            "origins",
            ArrayField(
                models.CharField(max_length=300, validators=[check_origin]),
                blank=True,
                db_default=[],
                default=list,
                help_text=ORIGINS_HELP,
                size=50,
            ),
        ),
    ]
