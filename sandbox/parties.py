"""The contract of a pretend third party. `sandbox.app` lists all of them."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from sandbox.exchange import SandboxRequest, SandboxResponse
from sandbox.ledger import PartyAccount

ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

AccountT = TypeVar("AccountT", bound=PartyAccount)


@dataclass(slots=True, frozen=True)
class Action:
    """A request that passed every check and has changed nothing yet.

    `apply` makes the whole change, or none of it. `concerns` returns whether the request contains a user id.
    """

    concerns: Callable[[str], bool]
    apply: Callable[[], SandboxResponse]

    @classmethod
    def without_users(cls, apply: Callable[[], SandboxResponse]) -> "Action":
        """Return the action of a request that contains no user id."""
        return cls(lambda _: False, apply)


class ThirdParty(ABC, Generic[AccountT]):
    """One kind of third party. Each account stands for a platform of its own; accounts share nothing."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self.accounts: dict[str, AccountT] = {}

    @abstractmethod
    def new_account(self) -> AccountT:
        """Return an empty account."""

    @abstractmethod
    def serves(self, path: str) -> bool:
        """Whether this third party serves `path`."""

    @abstractmethod
    def identify(self, request: SandboxRequest) -> str:
        """Return the name of the account. Raises `RejectedError` if the sender is not allowed."""

    @abstractmethod
    def prepare(self, account: AccountT, request: SandboxRequest) -> Action:
        """Check a request and change nothing. Raises `RejectedError` if the request breaks a rule."""

    def account(self, name: str) -> AccountT:
        """Return an account. The first request of an account creates it."""
        if name not in self.accounts:
            self.accounts[name] = self.new_account()
        return self.accounts[name]

    def peek(self, name: str) -> AccountT:
        """Return an account for reading. An account that nobody has used is empty and is not created."""
        return self.accounts.get(name) or self.new_account()

    def state(self, account: str | None, *, members: bool) -> dict[str, Any]:
        names = sorted(self.accounts) if account is None else [account]
        return {name: self.peek(name).state(members=members) for name in names}

    def reset(self) -> None:
        self.accounts.clear()
