"""For which customers people have which role."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


ROLES = [
    ("admin", "admin: everything"),
    ("marketer", "marketer: reads and changes a customer's data"),
    ("analyst", "analyst: reads, but no personal data"),
]


class Migration(migrations.Migration):
    dependencies = [("core", "0005_customer_versions"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]

    operations = [
        migrations.AlterField(
            "apikey",
            "role",
            models.CharField(choices=ROLES, default="admin", max_length=8),
        ),
        migrations.CreateModel(
            name="TeamMember",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("role", models.CharField(choices=ROLES, max_length=8)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "customer",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: every customer's data.",
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.customer",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={"db_table": "team_member"},
        ),
        migrations.AddConstraint(
            "teammember",
            models.UniqueConstraint(fields=("user", "customer"), name="team_member_once", nulls_distinct=False),
        ),
    ]
