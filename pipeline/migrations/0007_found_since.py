"""Since when the hub knows the user of a found id: the log is searched from then on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("pipeline", "0006_one_spelling")]

    operations = [migrations.AddField("foundid", "since", models.DateTimeField(null=True))]
