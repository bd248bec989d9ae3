"""How long a platform asks the hub to wait: `Retry-After`, in seconds or as a date (RFC 9110 § 10.2.3)."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from core import clock

MAX_WAIT_SECONDS = 3_600.0


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the headers of an answer (names in lower case) ask for; None where they do not say."""
    return retry_after(headers.get("retry-after"), headers.get("date"))


def retry_after(value: str | None, date: str | None = None) -> float | None:
    """Return the seconds to wait by a Retry-After header (seconds or a date), at most `MAX_WAIT_SECONDS`.

    `date`: the answer's own Date header, by which a date is read where the platform's clock differs from ours. None if
    there is no such header, or it cannot be read.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        until = _moment(value)
        if until is None:
            return None
        seconds = (until - (_moment(date) or clock.now())).total_seconds()
    return None if math.isnan(seconds) else min(max(seconds, 0.0), MAX_WAIT_SECONDS)


def _moment(value: str | None) -> datetime | None:
    """Return the moment of an HTTP date in any of its three forms; None for anything else."""
    if value is None:
        return None
    try:
        found = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
