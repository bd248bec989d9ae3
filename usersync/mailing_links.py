"""Links for mailings, signed with this installation's keys."""

from django.conf import settings

from core.keys import TokenSigner
from integrations.models import Platform
from usersync.links import PURPOSE, LinkKind, make_link


def link_for(platform: Platform, kind: str, target: str, mailing: str) -> str:
    """The address that the mailing completes with the reader's id. Raises `usersync.links.BadLink`."""
    tokens = TokenSigner(settings.ENVIRONMENT.derived_secrets(PURPOSE))
    return make_link(tokens, settings.EDGE_URL, platform.pk, LinkKind(kind), target, mailing)
