"""Where users are seen: collection points, and the platforms whose sync each of them starts."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.html import format_html

from core.configuration import ConfigurationModel
from core.models import Customer
from core.origins import MOST as MOST_ORIGINS
from core.origins import BadOriginError, clean_origin
from integrations.models import Platform, SecretField, rotated
from profiles.models.catalogue import refuse_bad_name

TAG = """\
<!-- dmphub: {name} -->
<script async src="{edge}/dp?m={m}&amp;id={id}&amp;t=js"></script>
<script async src="{edge}/sync.js?m={m}&amp;id={id}"></script>
<noscript><img src="{edge}/dp?m={m}&amp;id={id}&amp;t=gif" width="1" height="1" style="display:none" alt=""></noscript>
"""
SIGNED_TAG = """\
<!-- dmphub: this pixel is signed. For each page view your server appends ts and sig, see docs/edge.md -->
<script async src="{edge}/dp?m={m}&amp;id={id}&amp;t=js&amp;ts=…&amp;sig=…"></script>
"""


ORIGINS_HELP = (
    "Sites whose scripts may read the answers (CORS): https://shop.example, https://*.shop.example, or * for any site"
    " without cookies. Images and beacons need none."
)


def check_origin(text: str) -> None:
    """Raises ValidationError for what `core.origins` does not take."""
    try:
        clean_origin(text)
    except BadOriginError as error:
        raise ValidationError(str(error)) from None


class Pixel(ConfigurationModel):
    """A collection point: requests name it by `id`."""

    numbered = True

    class Auth(models.TextChoices):
        OPEN = "open", "open: anybody may send"
        SIGNED = "signed", "signed: only who holds the secret"

    id = models.AutoField("pixel id", primary_key=True)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="pixels")
    name = models.CharField(max_length=200)
    user_key = models.CharField(
        "user key",
        max_length=200,
        blank=True,
        help_text="The attribute in the data that holds your own user id, for example UserId.",
    )
    auth = models.CharField(
        "who may send",
        max_length=6,
        choices=Auth.choices,
        default=Auth.OPEN,
        db_default=Auth.OPEN.value,
        help_text="Anybody who knows a user's id can write to the user's profile through an open pixel.",
    )
    signing_secrets = SecretField(
        null=True, editable=False, help_text="Newest first; two are valid while one is rotated."
    )
    origins = ArrayField(
        models.CharField(max_length=300, validators=[check_origin]),
        size=MOST_ORIGINS,
        default=list,
        blank=True,
        db_default=[],
        help_text=ORIGINS_HELP,
    )
    integrations = models.ManyToManyField(Platform, through="PixelIntegration", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "pixel"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name} ({self.id})"

    def clean(self) -> None:
        if self.user_key:
            refuse_bad_name("user_key", self.user_key)

    @property
    def tag(self) -> str:
        """The HTML that a page carries, so that its visitors are counted and synced."""
        if self.auth == self.Auth.SIGNED:
            return format_html(SIGNED_TAG, edge=settings.EDGE_URL, m=self.customer_id, id=self.pk)
        name = self.name.replace("--", "––")  # two hyphens would end the comment
        return format_html(TAG, name=name, edge=settings.EDGE_URL, m=self.customer_id, id=self.pk)

    def settle_secrets(self, given: str | None) -> str | None:
        """Make the secrets fit `auth`: none of an open pixel. Returns a secret that was generated. The caller saves."""
        if self.auth != self.Auth.SIGNED:
            self.signing_secrets = None
            return None
        if given or not self.signing_secrets:
            secret = self.renew_secret(given)
            return None if given else secret
        return None

    def renew_secret(self, secret: str | None = None) -> str:
        """Set a new signing secret (a random one if none is given); the one before stays valid. The caller saves."""
        self.signing_secrets = rotated(self.signing_secrets or (), secret)
        return str(self.signing_secrets[0])


class PixelIntegration(ConfigurationModel):
    """A platform whose user sync a pixel starts."""

    customer_path = "pixel__customer_id"

    pixel = models.ForeignKey(Pixel, models.CASCADE)
    platform = models.ForeignKey(Platform, models.CASCADE)
    priority = models.SmallIntegerField(default=0, help_text="Higher ones are synced first.")

    class Meta:
        db_table = "pixel_integration"
        constraints = [
            models.UniqueConstraint("pixel", "platform", name="pixel_integration_once"),
        ]

    def __str__(self) -> str:
        return f"{self.pixel} → {self.platform}"


class PixelActivity(models.Model):
    """How many events were absorbed of a pixel, and when the last ones were. Written every few seconds."""

    pixel_id = models.IntegerField(primary_key=True)
    customer_id = models.IntegerField()
    events = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        db_table = "pixel_activity"

    def __str__(self) -> str:
        return f"{self.events} events of {self.pixel_id}"
