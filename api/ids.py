"""Ids that callers choose, beside those that the database hands out."""

from django.db import connection, models


def keep_ahead(model: type[models.Model], given: int) -> None:
    """Move the sequence of the model's key behind a given id, so that it is never handed out again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, %s)", [model._meta.db_table, model._meta.pk.name])
        (sequence,) = cursor.fetchone()
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [sequence])
        cursor.execute(
            f"SELECT setval(%s, %s) FROM {sequence} WHERE %s > last_value",
            [sequence, given, given],
        )


def next_after(model: type[models.Model]) -> int:
    """The id after the highest, for a key without a sequence; one caller at a time until its transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [model._meta.db_table])
    highest = model._default_manager.aggregate(highest=models.Max("pk"))["highest"]
    return int(highest or 0) + 1
