"""Every kind of inbox row from 40 on is bulk work: a new one needs no other index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0002_storage")]

    operations = [
        migrations.RemoveIndex(model_name="inbox", name="inbox_bulk"),
        migrations.AddIndex(
            model_name="inbox",
            index=models.Index(condition=models.Q(("kind__gte", 40)), fields=["bucket", "id"], name="inbox_bulk"),
        ),
    ]
