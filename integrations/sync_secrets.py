"""The secrets that a platform's syncs carry or are signed with: newest first, two while one is rotated."""

import re

from django.core.exceptions import ValidationError

from integrations.models import Platform, new_secret

SECRET = re.compile(r"[!-~]{8,200}")


def check_secret(secret: str) -> None:
    """ValidationError for what cannot stand in a URL, or is too easily guessed."""
    if not SECRET.fullmatch(secret):
        raise ValidationError("must have 8 to 200 characters: letters, digits and signs, no blanks")


def rotate(platform: Platform, secret: str | None = None) -> str:
    """A new secret (generated where none is given); the one before it stays valid. The caller saves."""
    newest = secret or new_secret()[0]
    kept = [old for old in platform.sync_secrets if old != newest]
    platform.sync_secrets = [newest, *kept][:2]
    return newest


def switch(platform: Platform, secret: str | None = None) -> str:
    """The only secret after a change between token and signature: a token was seen by browsers. The caller saves."""
    platform.sync_secrets = [secret] if secret else new_secret()
    return str(platform.sync_secrets[0])
