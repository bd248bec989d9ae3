"""User sync only: users are matched with the platform, nothing is delivered to it."""

from collections.abc import Sequence

from integrations.connectors.base import Connector, Member, Operation
from integrations.errors import MisconfiguredError
from integrations.http import Request

NOT_DELIVERING = "nothing is delivered to this platform: it is for user sync only"


class NoneConnector(Connector):
    key = "none"
    title = "User sync only"
    description = "Matches users with the platform and delivers nothing to it."
    delivers = False

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        raise MisconfiguredError(NOT_DELIVERING)
