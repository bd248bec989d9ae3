"""What may be done to an API key that exists: its secret is replaced, or it is revoked. Both doors use these."""

from datetime import timedelta

from core import clock
from core.api_keys import digest, new_secret
from core.models import ApiKey
from core.people.last_admin import admin_remains

MOST_OVERLAP = timedelta(days=30)


class RevokedKeyError(Exception):
    """The key was revoked: it cannot be used again."""

    def __init__(self) -> None:
        super().__init__("The key was revoked. Make a new one.")


def rotate(key: ApiKey, overlap: timedelta) -> str:
    """Give the key a new secret; the one before stays valid for `overlap`. Returns the key with it, shown only now.

    A secret that was still valid from an earlier rotation ends at once. Raises RevokedKeyError.
    """
    _lock(key)
    if key.revoked_at:
        raise RevokedKeyError
    given = new_secret(key.prefix)
    key.previous_digest, key.digest = key.digest, digest(given)
    key.previous_until = clock.now() + overlap
    key.save(update_fields=["previous_digest", "digest", "previous_until"])
    return given


def revoke(key: ApiKey) -> None:
    """Refuse the key from now on, both of its secrets. The row stays, so that the logs can name it.

    Raises `LastAdminError`.
    """
    with admin_remains():
        _lock(key)
        if key.revoked_at is None:
            key.revoked_at = clock.now()
            key.save(update_fields=["revoked_at"])


def _lock(key: ApiKey) -> None:
    """Two changes at the same time come one after the other. Needs a transaction."""
    key.refresh_from_db(from_queryset=ApiKey.objects.select_for_update(of=("self",)))
