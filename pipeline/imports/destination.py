"""Where the rows of an import go: the customer, the pixel, and what they say about data."""

from dataclasses import dataclass
from datetime import UTC, tzinfo

from core.clock import milliseconds
from core.messages import Listing
from core.own_ids import words_in
from core.time_zones import UnknownTimeZoneError, time_zone
from pipeline.imports.errors import UnreadableFileError
from pipeline.models import Import
from profiles.conversion import TypedAttribute, load_conversions
from profiles.personal.protection import Protection


@dataclass(frozen=True, slots=True)
class Destination:
    """The customer and the pixel whose users the rows are about.

    `user_key`: the path of the attribute that holds the customer's own user id; `at`: when the import was made (unix
    ms); `protection`: from personal data in clear; `own_words`: the customer's, for nobody; `typed`: the attributes
    that have a type; `zone`: the time zone of times that name none; `listing`: what the rows say of a list.
    """

    customer: int
    pixel: int
    user_key: tuple[str, ...]
    at: int
    protection: Protection
    own_words: frozenset[str] = frozenset()
    typed: tuple[TypedAttribute, ...] = ()
    zone: tzinfo = UTC
    listing: Listing | None = None

    @property
    def only_ids(self) -> bool:
        """Whether of the rows only the ids count."""
        return self.listing is not None and self.listing.known


def destination_of(row: Import, listing: Listing | None = None) -> Destination:
    """Returns the destination as the configuration says now. Raises UnreadableFileError."""
    user_key = row.pixel.user_key
    try:
        zone = time_zone(row.customer.time_zone)
    except UnknownTimeZoneError as unknown:
        raise UnreadableFileError(str(unknown)) from None
    return Destination(
        customer=row.customer_id,
        pixel=row.pixel_id,
        user_key=tuple(user_key.split(".")) if user_key else (),
        at=milliseconds(row.created_at),
        protection=Protection.of_customer(row.customer),
        own_words=words_in(row.customer.nobody_words),
        typed=tuple(load_conversions([row.customer_id])[row.customer_id].typed),
        zone=zone,
        listing=listing,
    )
