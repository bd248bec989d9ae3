"""An audience may be activated on a platform several times; why an activation is broken, and since when."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("activation", "0005_count_periods"),
    ]

    operations = [
        migrations.AddField(
            model_name="activation",
            name="name",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text=(
                    "Tells it apart from others of the same audience on the same platform; a part of the segment's"
                    " name."
                ),
                max_length=100,
            ),
        ),
        migrations.AddField(
            model_name="activation",
            name="trouble",
            field=models.CharField(
                blank=True,
                choices=[
                    ("credentials", "Credentials"),
                    ("redirect", "Redirect"),
                    ("settings", "Settings"),
                    ("refused", "refused: everybody is"),
                    ("connector", "connector: it has a fault"),
                    ("creation", "creation: of the segment"),
                ],
                db_default="",
                default="",
                editable=False,
                max_length=11,
            ),
        ),
        migrations.AddField(
            model_name="activation",
            name="status_since",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.RemoveConstraint(
            model_name="activation",
            name="activation_once_per_platform",
        ),
        migrations.AddConstraint(
            model_name="activation",
            constraint=models.UniqueConstraint(
                models.F("audience"),
                models.F("platform"),
                models.F("name"),
                name="activation_once_per_name",
                violation_error_message="This audience is sent to this platform already: give a name.",
            ),
        ),
    ]
