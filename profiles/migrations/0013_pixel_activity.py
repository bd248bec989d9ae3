"""When something last arrived at each pixel, and how many events did."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("profiles", "0012_pixel_origins"),
    ]

    operations = [
        migrations.CreateModel(
            name="PixelActivity",
            fields=[
                ("pixel_id", models.IntegerField(primary_key=True, serialize=False)),
                ("customer_id", models.IntegerField()),
                ("events", models.BigIntegerField(default=0)),
                ("last_at", models.DateTimeField()),
            ],
            options={"db_table": "pixel_activity"},
        ),
    ]
