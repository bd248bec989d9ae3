"""What ends a demonstration before its verdict."""


class DemonstrationFailed(Exception):
    """It cannot go on; the message says why."""
