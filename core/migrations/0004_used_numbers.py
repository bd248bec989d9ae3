"""Numbers of configuration rows, which are never given twice."""

from django.db import migrations, models

NUMBERED = {"customer": "m", "pixel": "id", "platform": "pl", "audience": "id", "activation": "id"}

# the other apps' tables come later where a database is new
FILL = "".join(
    f"""
DO $$ BEGIN
    IF to_regclass('{table}') IS NOT NULL THEN
        INSERT INTO used_number (kind, number) SELECT '{table}', {key} FROM {table};
    END IF;
END $$;
"""
    for table, key in NUMBERED.items()
)


class Migration(migrations.Migration):
    dependencies = [("core", "0003_bulk_work")]

    operations = [
        migrations.CreateModel(
            name="UsedNumber",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "kind", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("kind", models.CharField(max_length=30)),
                ("number", models.BigIntegerField()),
            ],
            options={"db_table": "used_number"},
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
