"""What went wrong with a third party, named by what to do next. A connector raises nothing else."""


class IntegrationError(Exception):
    """Base; the message is shown to marketers and holds no secret. `status` and `excerpt` of the answer, if any."""

    status: int | None = None
    excerpt: str = ""


class RefusedError(IntegrationError):
    """The platform said no (a 4xx): sending the same again will not help."""


class TooLargeError(RefusedError):
    """The platform said that the request was too large (413): send fewer rows."""


class UnauthorizedError(RefusedError):
    """The platform does not accept the credentials (401, 403): a person has to act."""


class RetriableError(IntegrationError):
    """The platform could not (5xx, 408): nothing was applied, or applying it again does no harm."""


class RateLimitedError(RetriableError):
    """The platform asks to wait (429); `retry_after` in seconds where it says how long. Costs no attempt.

    `again_after`: how long to wait where it asks once more right after such a wait.
    """

    def __init__(self, message: str, retry_after: float | None, again_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.again_after = again_after


class UnansweredError(RetriableError):
    """No answer came (time-out, broken connection): the platform may have applied the request."""


class MisconfiguredError(RefusedError):
    """The request could not be made at all: an address, a template or a setting is wrong."""
