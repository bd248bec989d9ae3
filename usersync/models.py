"""The match table, seen from the user."""

from django.db import models


class UserMapping(models.Model):
    """A platform's id for one of our users, in the user's bucket.

    `epoch` counts the owners that the platform's id has had: the later one wins.
    """

    pk = models.CompositePrimaryKey("bucket", "user_id", "platform_id", "platform_user_id")
    bucket = models.SmallIntegerField()
    user_id = models.UUIDField()
    platform_id = models.IntegerField()
    platform_user_id = models.TextField()
    customer_id = models.IntegerField()
    epoch = models.IntegerField()
    extra = models.JSONField(default=dict)
    synced_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "user_mapping"

    def __str__(self) -> str:
        return f"{self.user_id} is {self.platform_user_id} on {self.platform_id}"


class MappedUsers(models.Model):
    """How many users of one bucket are mapped on a platform, each once, however many ids it has there.

    `newest_sync` is of the latest match that was made, whatever has become of it.
    """

    pk = models.CompositePrimaryKey("bucket", "period", "platform_id")
    bucket = models.SmallIntegerField()
    period = models.IntegerField(db_default=0)
    platform_id = models.IntegerField()
    users = models.IntegerField()
    newest_sync = models.DateTimeField(null=True)

    class Meta:
        db_table = "mapped_users"

    def __str__(self) -> str:
        return f"{self.users} on {self.platform_id} in {self.bucket}"


class MatchDay(models.Model):
    """How well a platform was matched at the end of a UTC day; of today: a minute ago."""

    pk = models.CompositePrimaryKey("platform_id", "day")
    platform_id = models.IntegerField()
    day = models.DateField()
    known = models.IntegerField()
    mapped = models.IntegerField()
    newest_sync = models.DateTimeField(null=True)

    class Meta:
        db_table = "match_day"

    def __str__(self) -> str:
        return f"{self.platform_id} on {self.day}: {self.mapped} of {self.known}"


class MatchClaim(models.Model):
    """A match that would take the platform's id from somebody, for a user who is not confirmed: waits until that is.

    In the bucket of the user. `id`: of the inbox row that it was.
    """

    pk = models.CompositePrimaryKey("bucket", "id")
    bucket = models.SmallIntegerField()
    id = models.BigIntegerField()
    customer_id = models.IntegerField()
    user_id = models.UUIDField()
    platform_id = models.IntegerField()
    platform_user_id = models.TextField()
    sync = models.JSONField()
    received_at = models.DateTimeField()

    class Meta:
        db_table = "match_claim"
        indexes = [models.Index("bucket", "customer_id", "user_id", name="match_claim_user")]

    def __str__(self) -> str:
        return f"{self.bucket}-{self.id}"
