"""What can be wrong with what a sender gives, and that the hub cannot take it now.

Doors (edge, API, console) turn these errors into HTTP statuses. Nothing below a door may know a status.
"""


class InputError(Exception):
    """What was given cannot be used. `message` may be shown to the sender: it never quotes a value."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidParameterError(InputError):
    """A parameter is missing, repeated or wrong. `parameter` is a name that the hub knows."""

    def __init__(self, parameter: str) -> None:
        super().__init__(f"{parameter} is missing, repeated or wrong")
        self.parameter = parameter


class InputTooLargeError(InputError):
    """More bytes, or more lines, than the hub takes."""

    def __init__(self, message: str = "the data is too large") -> None:
        super().__init__(message)


class ConsentDeniedError(InputError):
    """The consent signals do not allow the data to be kept."""

    def __init__(self) -> None:
        super().__init__("the line's consent signals say no")


class InvalidKeyError(InputError):
    """There is no valid API key."""

    def __init__(self) -> None:
        super().__init__("send a valid API key: Authorization: Bearer <key>")


class RefusedAddressError(InputError):
    """The API key is not allowed from where the request comes."""

    def __init__(self) -> None:
        super().__init__("this API key may not be used from this address")


class OtherCustomerError(InputError):
    """The API key belongs to another customer."""

    def __init__(self) -> None:
        super().__init__("this API key belongs to another customer")


class ReadOnlyKeyError(InputError):
    """The role of the API key does not allow writing."""

    def __init__(self) -> None:
        super().__init__("this API key may not write")


class UnnamedUserError(InputError):
    """A line of a batch names no user."""

    def __init__(self) -> None:
        super().__init__("the line names nobody")


class MalformedLineError(InputError):
    """A line of a batch is not a JSON object."""

    def __init__(self) -> None:
        super().__init__("the line is not a JSON object")


class OverQuotaError(InputError):
    """The customer has used up its share. `retry_after`: in so many seconds there may be room again."""

    def __init__(self, retry_after: int = 1, message: str = "more than this customer may use: try again later") -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TeamError(Exception):
    """Something about people cannot be done. `message` may be shown."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BeyondAccessError(TeamError):
    """Somebody would give away more than they have."""

    def __init__(self) -> None:
        super().__init__("nobody can give a role, or customers, that they do not have")


class OwnRolesError(TeamError):
    """Somebody would take away their own roles, and might leave the hub without an admin."""

    def __init__(self) -> None:
        super().__init__("nobody can change their own roles: ask another admin")


class LastAdminError(TeamError):
    """A change would leave the hub, or a customer, without an admin, or let the last one end."""

    def __init__(self) -> None:
        super().__init__("this is the last admin: make another one first, who stays at least as long")


class InvalidInvitationError(TeamError):
    """The invitation was accepted, revoked, has expired, or never was."""

    def __init__(self) -> None:
        super().__init__("this invitation is not valid any more")


class UnavailableError(Exception):
    """The hub could not keep what was given, as far as it knows: the sender shall try again."""
