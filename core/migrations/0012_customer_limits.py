from django.db import migrations, models

import core.models


class Migration(migrations.Migration):
    dependencies = [("core", "0011_bulk_work_by_expressions")]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="limits",
            field=models.JSONField(
                blank=True,
                db_default={},
                default=dict,
                help_text="What the customer may use, where it is not what every customer may: see docs/operations.md.",
                validators=[core.models.check_limits],
            ),
        ),
    ]
