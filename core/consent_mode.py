"""How strictly a customer wants consent signals to be judged: a value of `Customer`, and of the edge without Django."""

from enum import StrEnum


class ConsentMode(StrEnum):
    """Stored in `customer.consent`; `usersync.consent` says what each mode means."""

    OFF = "off"
    WHEN_PRESENT = "when-present"
    REQUIRED = "required"
