"""Failed log-ins in the audit log: at most one a minute for each person and address, whatever is tried."""

from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest

from core import audit, clock

EVERY = timedelta(minutes=1)
REMEMBERED = 10_000

_noted: dict[tuple[int | None, str], datetime] = {}
"""What this process noted last: the person whose name was given, and from where."""


def note(request: HttpRequest, name: str) -> None:
    """Note that somebody could not log in. The name is noted only where it is a person's: others may be passwords."""
    person = User.objects.filter(username=name[:150]).first()
    now, failure = clock.now(), (person.pk if person else None, settings.TRUSTED_PROXIES.of(request.META))
    before = _noted.get(failure)
    if before is not None and now - before < EVERY:
        return
    if len(_noted) >= REMEMBERED:
        _noted.clear()
    _noted[failure] = now
    audit.record("fail to log in", "person", person.pk if person else "", person.get_username() if person else "")
