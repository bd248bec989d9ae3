"""How strictly a customer wants consent signals to be judged."""

from enum import StrEnum


class ConsentMode(StrEnum):
    """Stored in `customer.consent`; what each one means is told by `usersync.consent`."""

    OFF = "off"
    WHEN_PRESENT = "when-present"
    REQUIRED = "required"
