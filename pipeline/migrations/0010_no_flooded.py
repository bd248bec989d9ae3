"""Rows of customers that flood the inbox are not set aside any more, so it is not kept where they were."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("pipeline", "0009_import_options")]

    operations = [migrations.DeleteModel("FloodedBucket")]
