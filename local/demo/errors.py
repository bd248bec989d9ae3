"""What ends a demonstration before its verdict. Each message says why."""


class DemonstrationError(Exception):
    """The demonstration cannot go on."""


class ApiError(DemonstrationError):
    """The API refused a call; the message holds what it answered."""


class EdgeGoneError(DemonstrationError):
    """The edge has not answered for so long that sending again is hopeless."""


class NotAcceptedError(DemonstrationError):
    """The edge refused a request of the play, so that the play cannot end well."""


class NotReadyError(DemonstrationError):
    """What a configuration change sets in motion did not come about in time."""
