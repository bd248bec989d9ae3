"""API keys expire, are bound to addresses, and are rotated with an overlap; when they were used is noted."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

import core.models


class Migration(migrations.Migration):
    dependencies = [("core", "0006_people")]

    operations = [
        migrations.AddField("apikey", "expires_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "apikey",
            "allowed_addresses",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=49, validators=[core.models.check_network]),
                blank=True,
                db_default=[],
                default=list,
                size=100,
            ),
        ),
        migrations.AddField(
            "apikey",
            "previous_digest",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
        ),
        migrations.AddField("apikey", "previous_until", models.DateTimeField(blank=True, editable=False, null=True)),
        migrations.CreateModel(
            name="ApiKeyUse",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "api_key_id", "address", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("address", models.CharField(max_length=45)),
                ("used_at", models.DateTimeField()),
                (
                    "api_key",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="uses",
                        to="core.apikey",
                    ),
                ),
            ],
            options={"db_table": "api_key_use"},
        ),
    ]
