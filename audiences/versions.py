"""What an audience was before: every change makes a version, with who made it."""

from audiences.models import Audience, AudienceVersion
from core import clock


class NoSuchVersionError(ValueError):
    """The audience never was in that version, or the hub kept none so old."""


def keep(audience: Audience, change: str, by: str) -> None:
    """Note the version that the audience is in now; the caller's transaction made it."""
    AudienceVersion.objects.create(
        audience=audience,
        version=audience.version,
        rule=audience.rule,
        ttl=audience.ttl,
        change=change,
        by=by[:200],
        at=clock.now(),
    )


def of(audience: Audience, version: int) -> AudienceVersion:
    """Raises `NoSuchVersionError`."""
    found = AudienceVersion.objects.filter(audience=audience, version=version).first()
    if found is None:
        raise NoSuchVersionError(f"the audience has no version {version}")
    return found
