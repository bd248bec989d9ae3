"""What went wrong with a third party. Each error is named by what to do next; a connector raises nothing else."""


class IntegrationError(Exception):
    """Base of all errors here. Marketers see the message, so it must hold no secret.

    `status` and `excerpt` belong to the platform's response, if there was one. `of_one_row`: it was said of one row, in
    an answer that speaks of each.
    """

    status: int | None = None
    excerpt: str = ""
    of_one_row: bool = False


class RefusedError(IntegrationError):
    """The platform refused the request (a 4xx). Sending the same request again will not help."""


class RequestTooLargeError(RefusedError):
    """The platform refused the request because it was too large (413). Send fewer rows."""


class RowRefusedError(RefusedError):
    """The platform refused one user, as its settings say: other users are not concerned, however many it is said of."""


class SegmentRefusedError(RefusedError):
    """The platform refuses everybody of this segment (it is gone, full, archived). A person has to act."""


class UnauthorizedError(RefusedError):
    """The platform does not accept the credentials (401, 403). A person has to act."""


class MisconfiguredError(RefusedError):
    """The request could not be made, because an address, a template or a setting is wrong. A person has to act."""


class UnsettledError(MisconfiguredError):
    """A person has to act, and the platform may hold what was sent: nobody knows what became of it."""


class ConnectorFaultError(MisconfiguredError):
    """The connector raised what its contract does not know: it has a mistake. Whoever made it has to act."""


class RetriableError(IntegrationError):
    """The platform failed (5xx, 408). It applied nothing, or applying the request again does no harm."""


class BusyError(RetriableError):
    """The platform works on the same thing (409, 423, 425): it applied nothing, and is not broken. Try again."""


class UnclearAnswerError(RetriableError):
    """What came is no answer (a page for people, 504): nobody knows whether the platform applied the request."""


class RateLimitedError(RetriableError):
    """The platform asks the hub to wait (429). Waiting costs no attempt.

    `retry_after` is in seconds; None if the platform does not say how long. `again_after` is how long to wait (s) if
    the platform asks again right after such a wait.
    """

    def __init__(self, message: str, retry_after: float | None, again_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.again_after = again_after


class AskedToWaitError(RateLimitedError):
    """The platform names the time before which it takes nothing (503 with `Retry-After`). Its rate is not to blame."""


class UnansweredError(RetriableError):
    """No response came (time-out, broken connection). The platform may have applied the request."""
