"""A configuration version for each customer, and what of the configuration cannot be used."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("core", "0004_used_numbers")]

    operations = [
        migrations.AddField("configurationversion", "named", models.BigIntegerField(default=0, db_default=0)),
        migrations.CreateModel(
            name="CustomerVersion",
            fields=[
                ("customer_id", models.IntegerField(primary_key=True, serialize=False)),
                ("version", models.BigIntegerField(db_index=True)),
            ],
            options={"db_table": "customer_version"},
        ),
        migrations.CreateModel(
            name="ConfigurationProblem",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "subject", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "subject",
                    models.CharField(
                        choices=[
                            ("activation", "Activation"),
                            ("attribute", "Attribute"),
                            ("audience", "Audience"),
                            ("platform", "Platform"),
                        ],
                        max_length=10,
                    ),
                ),
                ("number", models.BigIntegerField()),
                ("customer_id", models.IntegerField(db_index=True)),
                ("words", models.TextField()),
                ("found_at", models.DateTimeField()),
            ],
            options={"db_table": "configuration_problem"},
        ),
    ]
