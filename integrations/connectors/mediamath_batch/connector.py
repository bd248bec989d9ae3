"""MediaMath Event API, in batches (002_f4257f686831c057.txt): up to 100 events a request, 50,000 requests a day."""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from django.core.exceptions import ValidationError

from integrations.answers import meaning
from integrations.connectors.base import Connector, Limits, Member, Operation, Removal, SegmentSource, Strategy
from integrations.connectors.mediamath_event import attributes
from integrations.connectors.mediamath_event.attributes import IdType, Rule
from integrations.connectors.mediamath_event.connector import NOT_REMOVABLE, Positive
from integrations.errors import IntegrationError, MisconfiguredError, RefusedError
from integrations.http import Request, Response

VERSION = 4.0
# an event may name another advertiser than its batch
FILLED_IN = attributes.OURS - {"mt_adid"}
MOST_EVENTS = 100


class BatchSettings(msgspec.Struct, forbid_unknown_fields=True):
    """`url` ends before /event and /events."""

    advertiser_id: Positive
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^?#]+$")] = (
        "https://ingest-default.prod.octane.mediamath.com/v1"
    )
    mapping: list[Rule] = []
    id_type: IdType = "guid"


class BatchCredentials(msgspec.Struct, forbid_unknown_fields=True):
    """The batch event API key, which is not that of MediaMath's other interfaces."""

    api_key: Annotated[str, msgspec.Meta(min_length=1)]


class BatchActivation(msgspec.Struct, forbid_unknown_fields=True):
    """The MathTag (event pixel), and the mapping id that MediaMath assigned to it."""

    pixel_id: Positive
    mapping_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class MediaMathBatch(Connector):
    key = "mediamath_batch"
    title = "MediaMath Event API, batch"
    description = "Fires events on MathTags, a hundred a request. MediaMath knows no removal."
    settings_type = BatchSettings
    credentials_type = BatchCredentials
    activation_type = BatchActivation
    notes = """
        Each activation names its MathTag and that tag's mapping: {"pixel_id": 1234567, "mapping_id": "…"}. Who
        leaves the audience cannot be removed.

        The API key takes 50,000 requests a day, so events wait a little for others to fill a request with.
    """
    default_limits = Limits(per_second=10, concurrent=5, per_day=50_000)

    strategy = Strategy.MICRO_BATCH
    batch_size = MOST_EVENTS
    linger_ms = 2_000  # requests a day are the scarce thing
    segment_source = SegmentSource.GIVEN
    removal = Removal.NONE

    def __init__(self, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
        super().__init__(settings, credentials)
        self.wanted_attributes = attributes.top_level(self.settings.mapping)
        self.has_guids = self.settings.id_type == "guid"

    @classmethod
    def validate_settings(cls, settings: dict[str, Any]) -> None:
        super().validate_settings(settings)
        faults = attributes.faults(msgspec.convert(settings, BatchSettings).mapping, FILLED_IN)
        if faults:
            raise ValidationError({"settings": faults})

    def warnings(self) -> list[str]:
        return attributes.warnings(self.settings.mapping)

    def given_segment(self, settings: dict[str, Any]) -> Any | None:
        return settings.get("pixel_id")

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        if operation is not Operation.ADD:
            raise MisconfiguredError(NOT_REMOVABLE)
        events = [self._event(member) for member in members if self._id_error(member) is None]
        if not events:
            raise self._id_error(members[0]) or RefusedError("nothing that MediaMath would take")
        single = len(events) == 1
        return Request(
            "POST",
            self.settings.url.rstrip("/") + ("/event" if single else "/events"),
            {"Content-Type": "application/json"},
            msgspec.json.encode(events[0] if single else {"events": events}),
            secret_headers={"x-api-key": self.credentials.api_key},
        )

    def outcomes(
        self,
        operation: Operation,
        members: Sequence[Member],
        response: Response,
    ) -> Sequence[IntegrationError | None]:
        """Invalid ids were left out of the request, so that they do not fail their neighbours."""
        return [self._id_error(member) for member in members]

    def failure(self, response: Response) -> IntegrationError:
        """Follow the table of the document. A 415 is an error of the set-up, not of an event."""
        if response.status == 415:
            return MisconfiguredError(f"MediaMath takes nothing but JSON: {response.excerpt}")
        return meaning.failure(response)

    def _id_error(self, member: Member) -> RefusedError | None:
        try:
            attributes.check_id(member.platform_user_id, self.settings.id_type)
        except RefusedError as wrong:
            return wrong
        return None

    def _event(self, member: Member) -> dict[str, Any]:
        given: BatchSettings = self.settings
        mapped = attributes.mapped(given.mapping, member.attributes)
        return {
            "version": VERSION,
            "type": "event",
            "mapping_id": member.segment.settings["mapping_id"],
            "advertiser_id": given.advertiser_id,
            "attributes": [
                {
                    "mt_id": str(member.segment.id),
                    "mt_adid": str(given.advertiser_id),
                    "mt_uuid": member.platform_user_id,
                    "source": "s2s",
                    **{name: value for name, value in mapped.items() if name != "mt_adid" or value != ""},
                }
            ],
        }
