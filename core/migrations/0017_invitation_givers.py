"""Who made an invitation, to look again at what they have when it is accepted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0016_own_ids")]

    operations = [
        migrations.AddField("invitation", "giver_person", models.IntegerField(null=True)),
        migrations.AddField("invitation", "giver_key", models.BigIntegerField(null=True)),
    ]
