"""The settings of a MediaMath S2S platform (004_61881f248519e6eb.txt)."""

from typing import Annotated, Any

import msgspec

from core.patterns import whole
from integrations.connectors.mediamath_s2s.audience_file import MOST_SEGMENT, NO_SEGMENT, is_segment_id

_DATA_CENTRE = whole(r"[a-z]{3}")

Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{0,64}$", description="letters, digits and hyphens")]
Host = Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9.-]+(:[0-9]{1,5})?|[0-9A-Fa-f:]+)$", max_length=253)]

Address = Annotated[str, msgspec.Meta(pattern=r"^https?://[^?#]+$")]


class S2SSettings(msgspec.Struct, forbid_unknown_fields=True):
    """Where files go, what they are called and what their header says."""

    partner: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9-]{1,64}$", description="letters, digits and hyphens")]
    segment_namespace: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{2}$", description="two letters")]
    host: Host = "sftp.datasvc.mediamath.com"
    port: Annotated[int, msgspec.Meta(ge=1, le=65_535)] = 2222
    path: str = ""
    drop_box: Annotated[
        bool, msgspec.Meta(description="the SFTP server takes files away once they are closed: no temporary names")
    ] = False
    hosts_by_dc: Annotated[
        dict[str, Host], msgspec.Meta(description="the host of a data centre (what [MT_DC] says), e.g. ewr")
    ] = {}
    agency: Word = ""
    client: Annotated[
        Word, msgspec.Meta(description="for private data: the client's name; empty for generally available data")
    ] = ""
    user_namespace: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{2}$", description="two letters")] = "mm"
    user_table_id: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{0,18}$")] | Annotated[int, msgspec.Meta(ge=1)] = ""
    mobile: bool = False
    hash_segments: Annotated[bool, msgspec.Meta(description="segment ids that are not numeric")] = False
    interval_minutes: Annotated[int, msgspec.Meta(ge=1, le=1440)] = 5
    log_url: Annotated[
        str, msgspec.Meta(pattern=r"^(https?://[^#]+)?$", description="of the processing log; empty: it is not polled")
    ] = ""
    taxonomy_url: Annotated[Address, msgspec.Meta(description="where taxonomies are published")] = (
        "https://api.mediamath.com/dmp/v2.0/audience_segments"
    )
    data_segment_url: Annotated[Address, msgspec.Meta(description="where external data segments are published")] = (
        "https://api.mediamath.com/api/v2.0/pixel_bundles"
    )


class S2SCredentials(msgspec.Struct, forbid_unknown_fields=True):
    """Of the SFTP server and the processing log. An empty host key pins the first one seen."""

    username: Annotated[str, msgspec.Meta(min_length=1)]
    password: Annotated[str, msgspec.Meta(min_length=1)]
    host_key: str = ""


class S2SActivation(msgspec.Struct, forbid_unknown_fields=True):
    """A segment id of one's own; one is allocated where none is given. `client` instead of the platform's."""

    segment_id: int | str | None = None
    client: Word | None = None


def faults(given: S2SSettings) -> list[str]:
    """Return every error of the settings."""
    found = []
    if (given.user_namespace != "mm") != bool(given.user_table_id):
        found.append("user_table_id: goes with a user_namespace other than “mm”, and only with it")
    found += [
        f"hosts_by_dc: “{data_centre[:20]}” is no data centre of three small letters"
        for data_centre in given.hosts_by_dc
        if not _DATA_CENTRE(data_centre)
    ]
    hosts = {given.host, *given.hosts_by_dc.values()}
    if given.interval_minutes < len(hosts):
        found.append(f"interval_minutes: at least {len(hosts)}, for each host's file is named by a minute of its own")
    return found


def segment_fault(segment: Any, *, hashed: bool) -> str | None:
    """Return why this cannot be a segment id; None if it can."""
    if isinstance(segment, int) and not isinstance(segment, bool):
        if not 1 <= segment <= MOST_SEGMENT:
            return f"segment_id: a whole number from 1 to {MOST_SEGMENT}"
        return f"segment_id: {NO_SEGMENT} stands for no segment" if segment == NO_SEGMENT else None
    if not hashed:
        return "segment_id: a whole number, unless hash_segments is on"
    return None if is_segment_id(str(segment)) else "segment_id: letters, digits and _ . - only"
