"""Tables: the platforms of each customer, with their encrypted credentials."""

import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import models

from core.configuration import ConfigurationModel
from core.keys import KeyRing
from core.models import Customer
from integrations.credential_binding import BoundCredentials, origins_in

if TYPE_CHECKING:
    _BinaryField = models.BinaryField[Any, Any]
else:
    _BinaryField = models.BinaryField  # generic to the type checker only


class UnreadableSecret(dict[str, Any]):
    """In place of a secret that no key of the hub opens: empty, and stored again as it was.

    One such row must not keep the rows beside it from being read.
    """

    def __init__(self, sealed: bytes) -> None:
        super().__init__()
        self.sealed = sealed


class SecretField(_BinaryField):
    """A JSON value that is stored encrypted by the hub's key ring. It cannot be searched or serialised.

    Where it may be null, None is stored as such: what is not there is no secret.
    """

    def get_prep_value(self, value: Any) -> bytes | None:
        if value is None and self.null:
            return None
        if isinstance(value, UnreadableSecret):
            return value.sealed
        return KeyRing(settings.SECRET_KEYS).seal(value)

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return super().get_db_prep_value(value if prepared else self.get_prep_value(value), connection, prepared=True)

    def from_db_value(self, value: bytes | memoryview | None, *_: Any) -> Any:
        if value is None:
            return None
        try:
            return KeyRing(settings.SECRET_KEYS).open(bytes(value))
        except (InvalidToken, ValueError):
            return UnreadableSecret(bytes(value))

    def value_to_string(self, obj: models.Model) -> str:
        raise TypeError(f"{self.name} is secret and is not serialised")


class CredentialsField(SecretField):
    """A platform's credentials, stored encrypted together with the origins that they were given for.

    A plain dict is what somebody has just given: it is bound, when its row is saved, to where its settings lead. What
    was read from the database stays bound as it was, whatever else of the row changes.
    """

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        given = getattr(model_instance, self.attname)
        if not isinstance(given, BoundCredentials | UnreadableSecret):
            given = bind(model_instance, given)
            setattr(model_instance, self.attname, given)
        return given

    def get_prep_value(self, value: Any) -> bytes:
        if isinstance(value, UnreadableSecret):
            return value.sealed
        origins = value.origins if isinstance(value, BoundCredentials) else ()
        return KeyRing(settings.SECRET_KEYS).seal([value, sorted(origins)])

    def from_db_value(self, value: bytes | memoryview | None, *more: Any) -> Any:
        opened = super().from_db_value(value, *more)
        if isinstance(opened, list):
            return BoundCredentials(opened[0], frozenset(opened[1]))
        # stored before credentials were bound, and not bound by the migration: they have to be given again
        return BoundCredentials(opened, frozenset()) if type(opened) is dict else opened


def bind(platform: Any, credentials: Mapping[str, Any]) -> BoundCredentials:
    """Return the credentials, bound to where the platform's settings lead; to nothing where these cannot be read."""
    from integrations.connectors.registry import all_connectors  # connectors are looked for when they are needed

    kind = all_connectors().get(platform.connector)
    try:
        origins = kind(platform.settings, dict(credentials)).origins() if kind else origins_in(platform.settings)
    except Exception:  # settings that do not fit, or a connector from elsewhere that fails on them
        origins = frozenset()
    return BoundCredentials(credentials, origins)


def new_secret() -> list[str]:
    """Return the secrets of a new platform: one random text."""
    return [secrets.token_urlsafe(24)]


def rotated(valid: Iterable[str], secret: str | None = None) -> list[str]:
    """Return the secrets after a rotation, newest first: a new one (random if none is given), and the one before."""
    newest = secret or new_secret()[0]
    return [newest, *(old for old in valid if old != newest)][:2]


class Platform(ConfigurationModel):
    """A third party that audiences are sent to, and whose ids our users are matched with."""

    numbered = True

    class SyncAuth(models.TextChoices):
        TOKEN = "token", "secret token in the request"
        SIGNED = "signed", "signed requests"

    class SyncTag(models.TextChoices):
        IMAGE = "img", "image"
        SCRIPT = "js", "script"

    pl = models.AutoField("platform id (pl)", primary_key=True)
    customer = models.ForeignKey(Customer, models.CASCADE, related_name="platforms")
    name = models.CharField(max_length=200)
    connector = models.CharField(max_length=40, help_text="How audiences are delivered to it.")
    settings = models.JSONField(default=dict, blank=True)
    credentials = CredentialsField(default=dict, editable=False)
    enabled = models.BooleanField(default=True)
    sync_template = models.TextField(
        blank=True,
        help_text="Where a browser is sent, with {{callback}} for our address, where the platform sends it back, "
        "filling in its user id. Written like {{callback:$UID}} where the platform's macro is not [[USERID]].",
    )
    sync_tag = models.CharField(
        max_length=3,
        choices=SyncTag.choices,
        default=SyncTag.IMAGE,
        help_text="What the platform answers. A script is loaded by the pixel's JavaScript tag only.",
    )
    sync_interval_days = models.PositiveSmallIntegerField(default=3)
    sync_auth = models.CharField(max_length=6, choices=SyncAuth.choices, default=SyncAuth.TOKEN)
    sync_secrets = SecretField(
        default=new_secret, editable=False, help_text="Newest first; two are valid while one is rotated."
    )
    limits = models.JSONField(
        default=dict, blank=True, help_text="per_second, concurrent, per_day, files_per_hour, bytes_per_day"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "platform"
        ordering = ["pl"]

    def __str__(self) -> str:
        return f"{self.name} ({self.pl})"
