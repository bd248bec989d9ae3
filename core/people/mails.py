"""Mail that the hub sends, where it has a mail server."""

import logging
from concurrent.futures import ThreadPoolExecutor
from smtplib import SMTPException
from threading import BoundedSemaphore

from django.conf import settings
from django.core.mail import send_mail

from core.people.models import Invitation

log = logging.getLogger(__name__)
SUBJECT = "You are invited to dmphub"
TEXT = """\
{by} invites you to the audience-activation hub dmphub, as {role}.

Open this link to make your log-in. It serves once, until {until:%Y-%m-%d %H:%M} UTC:

{url}

If you did not expect this mail, do nothing.
"""
RESET_SUBJECT = "A new password for dmphub"
RESET_TEXT = """\
Somebody, probably you, asked for a new password for the log-in “{name}” of the audience-activation hub dmphub.

Open this link to choose one. It serves once, for {hours} hours:

{url}

If you did not ask for it, do nothing: the password stays as it is.
"""
MOST_WAITING = 100
NO_SERVER = "The hub has no mail server (DMPHUB_MAIL_URL): give the link away yourself."
FAILED = "The mail could not be sent: give the link away yourself."


def send_invitation(row: Invitation, url: str) -> str:
    """Send the link. Must not be called inside a transaction. Returns what to tell the admin."""
    if settings.CONSOLE.mail is None:
        return NO_SERVER
    text = TEXT.format(by=row.created_by, role=row.role, until=row.expires_at, url=url)
    try:
        send_mail(SUBJECT, text, None, [row.email])
    except (SMTPException, OSError):
        log.warning("The mail server took no invitation", exc_info=True)
        return FAILED
    return "The link is sent by mail."


_room = BoundedSemaphore(MOST_WAITING)
_sender = ThreadPoolExecutor(1, thread_name_prefix="mail")


def send_reset(email: str, name: str, url: str) -> None:
    """Send the link of a new password, soon: whoever asked is answered before, as for an address that is unknown."""
    if not _room.acquire(blocking=False):
        log.warning("A reset link was not sent: %d others wait for the mail server", MOST_WAITING)
        return
    text = RESET_TEXT.format(name=name, hours=settings.PASSWORD_RESET_TIMEOUT // 3600, url=url)
    _sender.submit(_send_reset, email, text)


def _send_reset(email: str, text: str) -> None:
    try:
        send_mail(RESET_SUBJECT, text, None, [email])
    except (SMTPException, OSError):
        log.warning("The mail server took no reset link", exc_info=True)
    finally:
        _room.release()
