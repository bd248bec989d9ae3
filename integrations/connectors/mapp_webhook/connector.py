"""Mapp's webhook integration (“DIY”): audiences as signed JSON, up to a hundred users a request."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from integrations.answers import meaning
from integrations.connectors.base import (
    Connector,
    Member,
    Operation,
    Removal,
    Segment,
    SegmentSource,
    Strategy,
)
from integrations.errors import IntegrationError, RefusedError
from integrations.http import Request, Response

TYPES = {Operation.ADD: "ADD_TO_AUDIENCE", Operation.REMOVE: "REMOVE_FROM_AUDIENCE"}


class WebhookSettings(msgspec.Struct, forbid_unknown_fields=True):
    """The address of all requests, without ?type=."""

    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^?#]+$")]


class WebhookCredentials(msgspec.Struct, forbid_unknown_fields=True):
    """The secret that bodies are signed with (X-HMAC: HMAC-SHA1)."""

    secret: Annotated[str, msgspec.Meta(min_length=1)]


class MappWebhook(Connector):
    key = "mapp_webhook"
    title = "Mapp webhook"
    description = "Mapp's own outbound protocol: creates audiences, adds and removes users, each request signed."
    settings_type = WebhookSettings
    credentials_type = WebhookCredentials
    notes = """
        The receiver checks X-HMAC, the hex HMAC-SHA1 of the raw body under the secret. It may answer
        CREATE_AUDIENCE with an id of its own; otherwise the audience's number here is used.
    """

    strategy = Strategy.MICRO_BATCH
    batch_size = 100
    linger_ms = 500  # the protocol flushes at 100 users or after a second, and aims at one second
    segment_source = SegmentSource.CREATED
    removal = Removal.CALL

    def creation_request(self, segment: Segment, timestamp: int) -> Request:
        audience = {"Name": segment.name, "Customer": segment.customer, "Audience": _number(segment)}
        return self._signed("CREATE_AUDIENCE", audience)

    def segment_id(self, segment: Segment, response: Response) -> Any:
        """Return the id from the response; the audience's own number if it has none."""
        document = _document(response)
        if document is None:
            raise RefusedError(f"the answer is no JSON object: {response.excerpt}")
        found = document.get("id")
        if found is None or found == "":
            return _number(segment)
        if isinstance(found, bool) or not isinstance(found, str | int):
            raise RefusedError(f"the answer's id is neither text nor a number: {response.excerpt}")
        return found

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        mutations = [
            {
                "Uuid": str(member.user_id),
                "Audience": str(member.segment.id),
                "Customer": member.segment.customer,
                "Platform": member.segment.platform,
                "External_user_id": member.platform_user_id,
            }
            for member in members
        ]
        return self._signed(TYPES[operation], {"Mutations": mutations})

    def failure(self, response: Response) -> IntegrationError:
        """Take the reason from the field `error`, otherwise from the body."""
        failure = meaning.failure(response)
        reason = (_document(response) or {}).get("error")
        if isinstance(reason, str) and reason:
            failure.args = (f"HTTP {response.status}: {reason[: meaning.EXCERPT]}",)
        return failure

    def check_requests(self) -> list[Request]:
        return [self._signed("VALIDATE", {})]

    def read_checks(self, responses: Sequence[Response]) -> dict[str, Any]:
        return {"signature": "accepted"}

    def _signed(self, kind: str, body: dict[str, Any]) -> Request:
        raw = msgspec.json.encode({"Type": kind, **body})
        signature = hmac.new(self.credentials.secret.encode(), raw, hashlib.sha1).hexdigest()
        headers = {"Content-Type": "application/json"}
        return Request("POST", f"{self.settings.url}?type={kind}", headers, raw, secret_headers={"X-HMAC": signature})


def _number(segment: Segment) -> str:
    """Return the audience's number, by which the receiver knows the segment if it gives no id of its own.

    An audience that is sent several times has several.
    """
    return f"{segment.audience}-{segment.activation}" if segment.label else str(segment.audience)


def _document(response: Response) -> dict[str, Any] | None:
    """Return the JSON object; an empty one without a body, which the protocol allows; None for anything else."""
    try:
        document = response.document() if response.body.strip() else {}
    except RefusedError:
        return None
    return document if isinstance(document, dict) else None
