"""What sending learned of each platform: its health, what is used up of its quotas, its host keys."""

from django.db import models


class Health(models.Model):
    """How a platform fares: its circuit breaker, and how far its own limits had to be lowered.

    `until`: before it nothing is sent (`closed`: it asked to wait; `open`: it failed too often; `probing`: one
    request is on its way to find out). `slowed_to`: calls a second at `slowed_at`, raised slowly since.
    """

    class State(models.TextChoices):
        CLOSED = "closed"
        OPEN = "open"
        PROBING = "probing"

    platform_id = models.IntegerField(primary_key=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.CLOSED)
    failures = models.IntegerField(default=0, help_text="Failed requests in a row.")
    openings = models.IntegerField(default=0, help_text="How often it opened since a request succeeded.")
    limited = models.IntegerField(default=0, help_text="How often in a row the platform asked to wait.")
    until = models.DateTimeField(null=True)
    reason = models.TextField(default="")
    slowed_to = models.FloatField(null=True)
    slowed_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "platform_health"
        verbose_name_plural = "health"

    def __str__(self) -> str:
        return f"{self.platform_id}: {self.state}"


class Spending(models.Model):
    """What of a platform's quota of an hour or a day has been reserved: `what` is a limit's name."""

    pk = models.CompositePrimaryKey("platform_id", "what", "since")
    platform_id = models.IntegerField()
    what = models.CharField(max_length=20)
    since = models.DateTimeField()
    spent = models.BigIntegerField()

    class Meta:
        db_table = "platform_spending"

    def __str__(self) -> str:
        return f"{self.platform_id}: {self.what} since {self.since}"


class HostKey(models.Model):
    """The key by which a file server was first known: another one is refused."""

    pk = models.CompositePrimaryKey("platform_id", "host")
    platform_id = models.IntegerField()
    host = models.TextField()
    key = models.TextField()
    seen_at = models.DateTimeField()

    class Meta:
        db_table = "host_key"

    def __str__(self) -> str:
        return self.host
