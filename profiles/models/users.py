"""What we know of users, in the buckets of their ids."""

from uuid import UUID

from django.db import models

from core.json_field import KeptJSONField


class Identity(models.Model):
    """An id that names a user, in the bucket of the id's value.

    `kind` is `user` (the customer's own user id), `device:<parameter>`, `euid:<pl>` or `platform:<pl>` (a
    synced id: `epoch` counts its owners). Our own user ids need no row: they name their profile.
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "kind", "value")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    kind = models.CharField(max_length=40)
    value = models.TextField()
    user_id = models.UUIDField(null=True, help_text="Empty: nobody's any more.")
    epoch = models.IntegerField(default=0)
    since = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, help_text="When the owner loses it, unless it is synced again.")
    former_user_id = models.UUIDField(null=True, help_text="Who gave it up, while it is nobody's.")

    class Meta:
        db_table = "identity"
        indexes = [
            models.Index(
                "bucket", "expires_at", name="identity_expiring", condition=models.Q(expires_at__isnull=False)
            ),
            models.Index(
                "bucket", "former_user_id", name="identity_given_up", condition=models.Q(former_user_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class WatchedId(models.Model):
    """An id that has named more than one browser, in the bucket of its value.

    `seen` lists the latest different browsers, as `[hash of the user id, unix ms]`. From `suspect_at` on no further
    profiles are merged by the id, until somebody judges it: `verdict` is `good` (it is one person's) or `bad` (it names
    nobody). `waiting` counts the links that wait for that.
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "kind", "value")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    kind = models.CharField(max_length=40)
    value = models.TextField()
    seen = models.JSONField(default=list)
    suspect_at = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=4, blank=True, default="")
    waiting = models.IntegerField(default=0)

    class Meta:
        db_table = "watched_id"
        indexes = [
            models.Index(
                "bucket", "customer_id", name="watched_id_suspect", condition=models.Q(suspect_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class WaitingLink(models.Model):
    """A link by a suspect id, which would merge the user with others: kept until somebody judges the id."""

    pk = models.CompositePrimaryKey("bucket", "id")
    bucket = models.SmallIntegerField()
    id = models.BigIntegerField()
    customer_id = models.IntegerField()
    kind = models.CharField(max_length=40)
    value = models.TextField()
    user_id = models.UUIDField()
    query = models.BinaryField()
    received_at = models.DateTimeField()

    class Meta:
        db_table = "waiting_link"
        indexes = [models.Index("bucket", "customer_id", "kind", "value", "id", name="waiting_link_by_id")]

    def __str__(self) -> str:
        return f"{self.bucket}-{self.id}"


class KnownUsers(models.Model):
    """How many users of a customer one bucket knows: its eligible profiles, counted by whoever saves them."""

    pk = models.CompositePrimaryKey("bucket", "period", "customer_id")
    bucket = models.SmallIntegerField()
    period = models.IntegerField(db_default=0)
    customer_id = models.IntegerField()
    users = models.IntegerField()

    class Meta:
        db_table = "known_users"

    def __str__(self) -> str:
        return f"{self.users} of {self.customer_id} in {self.bucket}"


class OptOut(models.Model):
    """A browser that does not want to be known, for every customer, those still to come included."""

    pk = models.CompositePrimaryKey("bucket", "user_id")
    bucket = models.SmallIntegerField()
    user_id = models.UUIDField()
    since = models.DateTimeField()

    class Meta:
        db_table = "opt_out"

    def __str__(self) -> str:
        return f"{self.user_id} since {self.since}"


class ErasedId(models.Model):
    """An id, known by a keyed hash only, of somebody who was erased: rows accepted up to `at` are dropped.

    `erasure` is the erasure whose proof notes what becomes of ids that are found later, `key_hash` the hash of the
    customer's own id of the person.
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "id_hash")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    id_hash = models.BinaryField()
    at = models.DateTimeField()
    erasure = models.UUIDField(db_default=UUID(int=0))
    key_hash = models.BinaryField(null=True)

    class Meta:
        db_table = "erased"

    def __str__(self) -> str:
        return f"{self.bucket} at {self.at}"


class ForgottenId(models.Model):
    """A platform's id that was forgotten, known by a keyed hash only: its next owner has a later epoch than this."""

    pk = models.CompositePrimaryKey("bucket", "customer_id", "id_hash")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    id_hash = models.BinaryField()
    epoch = models.IntegerField()
    at = models.DateTimeField()

    class Meta:
        db_table = "forgotten_id"

    def __str__(self) -> str:
        return f"{self.bucket}: {self.epoch}"


class Profile(models.Model):
    """One user of one customer.

    `times` holds, for each top-level attribute (`a:<name>`) and dimension (`d:<name>`), when it was set
    (unix ms of the event, then of its receipt). `activity` is `{"<pixel>": {"first", "last" (unix ms),
    "total", "days": {"<days since 1970>": count}}}`. `ids` lists the other ids that name the user, as
    `[kind, value]`. A merged profile stays as a tombstone that names its survivor. `login` is the customer user
    to whom the browser with this very id has moved, by a login at `login_at`.
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "user_id")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    user_id = models.UUIDField()
    attributes = KeptJSONField(default=dict)
    dimensions = KeptJSONField(default=dict)
    times = models.JSONField(default=dict)
    activity = models.JSONField(default=dict)
    ids = models.JSONField(default=list)
    confirmed = models.BooleanField(default=False, help_text="Only confirmed users can be in audiences.")
    merged_into = models.UUIDField(null=True)
    opted_out = models.BooleanField(db_default=False)
    login = models.TextField(db_default="", help_text="Whose this browser is now, where not the profile's own.")
    login_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    seen_at = models.DateTimeField(
        null=True, help_text="When the user was last seen, where the hub itself changed the profile after that."
    )

    class Meta:
        db_table = "profile"
        indexes = [
            models.Index(
                "bucket",
                "created_at",
                name="profile_unconfirmed",
                condition=models.Q(confirmed=False, merged_into=None, opted_out=False),
            ),
            models.Index("bucket", "customer_id", "login", name="profile_login", condition=~models.Q(login="")),
        ]

    def __str__(self) -> str:
        return str(self.user_id)


class ProfileExcess(models.Model):
    """What one profile had no room for: set aside as bad rows, counted here.

    `events` brought more than there was room for, by so many `attributes` and `bytes`. `names`: some of the last ones.
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "user_id")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    user_id = models.UUIDField()
    events = models.IntegerField()
    attributes = models.BigIntegerField()
    bytes = models.BigIntegerField()
    names = models.JSONField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        db_table = "profile_excess"

    def __str__(self) -> str:
        return f"{self.attributes} attributes of {self.user_id}"


class CustomerExcess(models.Model):
    """What the profiles of a customer in one bucket had no room for, ever. Readers sum up the buckets."""

    pk = models.CompositePrimaryKey("bucket", "customer_id")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    events = models.BigIntegerField()
    attributes = models.BigIntegerField()
    bytes = models.BigIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        db_table = "customer_excess"

    def __str__(self) -> str:
        return f"{self.attributes} attributes of {self.customer_id} in {self.bucket}"


class ProfileMerge(models.Model):
    """Why a user's id answers with another: in the bucket of the winner, whom the loser was merged into.

    The cause: the id that both were seen with, and the pixel that saw it (0: none, a browser that came back).
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "winner", "loser")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    winner = models.UUIDField()
    loser = models.UUIDField()
    kind = models.CharField(max_length=40)
    value = models.TextField()
    pixel_id = models.IntegerField()
    at = models.DateTimeField()

    class Meta:
        db_table = "profile_merge"

    def __str__(self) -> str:
        return f"{self.loser} → {self.winner}"


class SharedId(models.Model):
    """An id that would have given a user more ids than a person has: set aside, and nothing merged by it.

    In the bucket of that user; `times` counts how often.
    """

    pk = models.CompositePrimaryKey("bucket", "customer_id", "user_id", "kind", "value")
    bucket = models.SmallIntegerField()
    customer_id = models.IntegerField()
    user_id = models.UUIDField()
    kind = models.CharField(max_length=40)
    value = models.TextField()
    times = models.IntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        db_table = "shared_id"
        indexes = [models.Index("bucket", "customer_id", "value", name="shared_id_by_value")]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"
