"""The data of an event on its way into a profile: sampled, bounded, converted. What cannot be used is kept apart."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from core.json_values import loads
from core.messages import Event, encode
from pipeline.absorb.excess import BatchExcess
from pipeline.absorb.rows import InboxRow
from pipeline.bad_rows import BadPart
from pipeline.catalogue import Catalogue
from profiles.attribute_sampling import sampler
from profiles.caps import take_beyond_event, take_beyond_profile
from profiles.origins import Origins
from profiles.state import ProfileState


class DataScope(Protocol):
    """What reading an event's data needs, and where it notes what cannot be used."""

    catalogue: Catalogue
    excess: BatchExcess
    bad_parts: list[BadPart]


def prepare_data(
    unit: DataScope, row: InboxRow, event: Event, profile: ProfileState, received: float
) -> tuple[dict[str, Any], Mapping[str, Origins]]:
    """Returns the event's data as it is kept, and the origins of what was converted.

    Whatever happens to data on its way in happens here, and nowhere else.
    """
    body = row.body or b""
    data: dict[str, Any] = loads(body)
    sampler.sample(event.customer, data, event.at)
    excess = take_beyond_event(data, len(body), unit.excess.caps)
    refused, origins = unit.catalogue.conversions.apply(event.customer, data)
    excess |= take_beyond_profile(profile, data, body, (event.at, received), unit.excess.caps)
    if refused or excess:
        reasons = [f"attribute {path}: the value does not convert to its type" for path in refused]
        if excess:
            reasons.append(unit.excess.count(profile, excess))
        _keep_unused(unit, row, event, body if refused else msgspec.json.encode(excess), reasons)
    return data, origins


def _keep_unused(unit: DataScope, row: InboxRow, event: Event, body: bytes, reasons: list[str]) -> None:
    """Keep what of the event's data could not be used, with its reasons; the rest of the event is used now.

    Where a value did not convert, that is all of its data: a part of a top-level attribute could not be replayed alone.
    """
    event.counted = True
    rest = row._replace(query=encode(event), body=body)
    unit.bad_parts += [BadPart(rest, event.customer, reason) for reason in reasons]
