"""MediaMath Event API, one event a request (002_f4257f686831c057.txt): each new member fires an event on a MathTag."""

from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote, urlencode

import msgspec
from django.core.exceptions import ValidationError

from integrations.connectors.base import Connector, Limits, Member, Operation, Removal, SegmentSource, Strategy
from integrations.connectors.mediamath_event import attributes
from integrations.connectors.mediamath_event.attributes import IdType, Rule
from integrations.errors import MisconfiguredError
from integrations.http import Request

NOT_REMOVABLE = "MediaMath's Event API knows no removal"
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**53)]


class EventSettings(msgspec.Struct, forbid_unknown_fields=True):
    """`advertiser_parameter` is mt_aid in the text of the document and mt_adid in its examples."""

    advertiser_id: Positive
    url: Annotated[str, msgspec.Meta(pattern=r"^https?://[^?#]+$")] = "https://pixel-s2s.mathtag.com/event/img"
    advertiser_parameter: Annotated[str, msgspec.Meta(pattern=r"^mt_[a-z]{1,20}$")] = "mt_adid"
    mapping: list[Rule] = []
    id_type: IdType = "guid"


class EventActivation(msgspec.Struct, forbid_unknown_fields=True):
    """The MathTag (event pixel) on which members fire events."""

    pixel_id: Positive


class MediaMathEvent(Connector):
    key = "mediamath_event"
    title = "MediaMath Event API, individual"
    description = "Fires an event on a MathTag the moment somebody joins the audience. MediaMath knows no removal."
    settings_type = EventSettings
    activation_type = EventActivation
    notes = """
        Each activation names its MathTag: {"pixel_id": 1234567}. Who leaves the audience cannot be removed.

        The mapping template turns attributes (from, a dotted path) into MediaMath's (to). What a profile lacks,
        or what does not fit its type, goes out empty. E-mail addresses are never sent; mt_excl and mt_exem must
        be salted SHA-256 hashes, mt_ip a public IPv4 address.
    """
    default_limits = Limits(per_second=1000)

    strategy = Strategy.NO_BATCH
    segment_source = SegmentSource.GIVEN
    removal = Removal.NONE

    def __init__(self, settings: dict[str, Any], credentials: dict[str, Any]) -> None:
        super().__init__(settings, credentials)
        self.wanted_attributes = attributes.top_level(self.settings.mapping)
        self.has_guids = self.settings.id_type == "guid"

    @classmethod
    def validate_settings(cls, settings: dict[str, Any]) -> None:
        super().validate_settings(settings)
        faults = attributes.faults(msgspec.convert(settings, EventSettings).mapping)
        if faults:
            raise ValidationError({"settings": faults})

    def warnings(self) -> list[str]:
        return attributes.warnings(self.settings.mapping)

    def given_segment(self, settings: dict[str, Any]) -> Any | None:
        return settings.get("pixel_id")

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        if operation is not Operation.ADD:
            raise MisconfiguredError(NOT_REMOVABLE)
        (member,) = members
        given: EventSettings = self.settings
        attributes.check_id(member.platform_user_id, given.id_type)
        query: dict[str, attributes.Value] = {
            "mt_id": member.segment.id,
            given.advertiser_parameter: given.advertiser_id,
            "mt_uuid": member.platform_user_id,
            "source": "s2s",
            **attributes.mapped(given.mapping, member.attributes),
        }
        written = urlencode({name: attributes.as_text(value) for name, value in query.items()}, quote_via=quote)
        return Request("POST", f"{given.url}?{written}")
