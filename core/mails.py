"""Mail that the hub sends, where it has a mail server."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail

from core.people import Invitation

log = logging.getLogger(__name__)
SUBJECT = "You are invited to dmphub"
TEXT = """\
{by} invites you to the audience-activation hub dmphub, as {role}.

Open this link to make your log-in. It serves once, until {until:%Y-%m-%d %H:%M} UTC:

{url}

If you did not expect this mail, do nothing.
"""
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
