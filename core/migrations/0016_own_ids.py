from django.db import migrations, models

import core.models


class Migration(migrations.Migration):
    dependencies = [("core", "0015_shared_values")]

    operations = [
        migrations.AddField(
            model_name="customer",
            name="nobody_words",
            field=models.JSONField(
                blank=True,
                db_default=[],
                default=list,
                help_text="Your own ids that name nobody, such as that of a shared terminal: "
                '["kiosk"]. See docs/ids.md.',
                validators=[core.models.check_nobody_words],
                verbose_name="words for nobody",
            ),
        ),
        migrations.AddField(
            model_name="customer",
            name="phone_region",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Where numbers without a country are from, such as DE: "
                "with it they are hashed in their E.164 form.",
                max_length=2,
                validators=[core.models.check_phone_region],
                verbose_name="country of telephone numbers",
            ),
        ),
    ]
