"""Browsers are found by the user who is logged in with them. Most profiles have no login: the index leaves them out."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("profiles", "0002_storage")]

    operations = [
        migrations.AddIndex(
            "profile",
            models.Index(
                models.F("bucket"),
                models.F("customer_id"),
                models.F("login"),
                name="profile_login",
                condition=models.Q(("login", ""), _negated=True),
            ),
        ),
    ]
