"""Makes segments visible to a platform's buyers, where that takes more than filling them."""

from typing import Any

from django.core.exceptions import ValidationError

from activation.delivery.targets import segment_of
from activation.models import Activation
from core import audit
from integrations.connectors.base import SegmentPublisher
from integrations.errors import IntegrationError
from integrations.http import Request, Response
from integrations.models import Platform
from integrations.services import connector_of, send_request


def publication(platform: Platform, kind: str, order: dict[str, Any]) -> Request:
    """Returns the request that publishes the platform's segments, as they are named and numbered now.

    Raises Django's `ValidationError` for what the platform does not know, or an order that does not fit.
    """
    connector = connector_of(platform)
    if not isinstance(connector, SegmentPublisher):
        raise ValidationError({"kind": ["segments of this platform need not be published"]})
    if kind not in connector.publishes:
        raise ValidationError({"kind": [f"one of {', '.join(connector.publishes)}"]})
    known = Activation.objects.filter(platform=platform, segment_id__isnull=False).select_related("audience")
    try:
        segments = [segment_of(activation) for activation in known.order_by("id")]
        return connector.publication_request(kind, order, segments)
    except IntegrationError as wrong:
        raise ValidationError({"order": [str(wrong)]}) from None


def publish(platform: Platform, request: Request) -> Response:
    """Send the request. Not to be called inside a transaction.

    Raises `IntegrationError` where the platform does not take it.
    """
    answer = send_request(connector_of(platform), request)
    audit.record("publish", "platform", platform.pk, platform.name, customer=platform.customer_id)
    return answer
