"""What ends a demonstration before its verdict."""


class DemonstrationError(Exception):
    """It cannot go on; the message says why."""
