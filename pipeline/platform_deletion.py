"""Deleting a platform: its number is never given again, and what the hub knows of it goes, bucket by bucket."""

from django.db import transaction

from activation.models import Health, HostKey, Lane, Spending, UploadedFile
from core.inbox import InboxKind
from core.transactions import send_to_every_bucket
from integrations.models import Platform
from usersync.messages import ForgetPlatform
from usersync.models import MatchDay


def delete_platform(platform: Platform) -> None:
    """Delete the platform, which has no activation and no audience that asks for it.

    Its matches and its log go by rows of the inbox. From the commit on, absorb drops what is still under way for it.
    """
    with transaction.atomic():
        send_to_every_bucket(InboxKind.FORGET_PLATFORM, ForgetPlatform(platform.customer_id, platform.pk))
        for model in (Lane, Health, Spending, HostKey, UploadedFile, MatchDay):
            model._default_manager.filter(platform_id=platform.pk).delete()
        platform.delete()
