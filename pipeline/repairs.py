"""What follows when something of the configuration breaks, or can be used again.

While it was broken it was left out, so what it should have done meanwhile is done once it works: an audience is built,
values are converted, users are introduced to platforms that know them by our ids.
"""

import logging
from collections.abc import Callable, Collection, Mapping

from django.db import transaction

from activation.models import Activation
from activation.services import begin_backfill, wake
from audiences.messages import BuildAudience
from audiences.models import Audience
from core import problems
from core.inbox import InboxKind
from core.problems import Problem, Subject
from core.transactions import send_to_every_bucket
from integrations.models import Platform
from integrations.services import connector_of
from profiles.messages import Convert
from profiles.models import Attribute

log = logging.getLogger(__name__)


def note(customers: Collection[int], found: Mapping[Problem, tuple[int, str]]) -> None:
    """Note what is broken of these customers, and catch up on what is not any more."""
    with transaction.atomic():
        for subject, number in problems.replace(customers, found):
            log.info("%s %s can be used again, or is gone", subject, number)
            CATCH_UP[subject](number)


def _build(number: int) -> None:
    for audience in Audience.objects.filter(id=number).exclude(status=Audience.Status.DELETING):
        send_to_every_bucket(InboxKind.BUILD, BuildAudience(audience.id, audience.version))


def _convert(number: int) -> None:
    for customer in Attribute.objects.filter(id=number, enabled=True).values_list("customer_id", flat=True):
        send_to_every_bucket(InboxKind.CONVERT, Convert(customer=customer))


def _introduce(number: int) -> None:
    platform = Platform.objects.filter(pl=number).first()
    if platform is not None and connector_of(platform).own_ids:
        for activation in platform.activations.exclude(status=Activation.Status.ENDING):
            begin_backfill(activation.id)


def _wake(number: int) -> None:
    for platform in Activation.objects.filter(id=number).values_list("platform_id", flat=True):
        wake(platform)


CATCH_UP: dict[str, Callable[[int], None]] = {
    Subject.AUDIENCE: _build,
    Subject.ATTRIBUTE: _convert,
    Subject.PLATFORM: _introduce,
    Subject.ACTIVATION: _wake,
}
