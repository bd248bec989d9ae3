"""The contract of a pretend third party; `registry` names those there are."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from sandbox.exchange import Answer, Request
from sandbox.ledger import Account

ACCOUNT_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

AccountT = TypeVar("AccountT", bound=Account)


@dataclass(slots=True, frozen=True)
class Action:
    """A request that passed every check and has changed nothing yet.

    `apply` changes what is held, at once or not at all; `concerns` tells whether a user id is in it.
    """

    concerns: Callable[[str], bool]
    apply: Callable[[], Answer]


class ThirdParty(ABC, Generic[AccountT]):
    """One kind of third party; each of its accounts stands for a platform of its own and shares nothing."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self.accounts: dict[str, AccountT] = {}

    @abstractmethod
    def new_account(self) -> AccountT:
        """An account that holds nothing."""

    @abstractmethod
    def serves(self, path: str) -> bool:
        """Whether this third party answers under `path`."""

    @abstractmethod
    def identify(self, request: Request) -> str:
        """The account that the request is for; Refused when it may not come in."""

    @abstractmethod
    def prepare(self, account: AccountT, request: Request) -> Action:
        """The checked request; Refused when it breaks a rule. Changes nothing."""

    def account(self, name: str) -> AccountT:
        """The account, opened by its first request."""
        if name not in self.accounts:
            self.accounts[name] = self.new_account()
        return self.accounts[name]

    def peek(self, name: str) -> AccountT:
        """The account for reading; one that nobody used yet is empty and stays unopened."""
        return self.accounts.get(name) or self.new_account()

    def state(self, account: str | None, *, members: bool) -> dict[str, Any]:
        names = sorted(self.accounts) if account is None else [account]
        return {name: self.peek(name).state(members=members) for name in names}

    def reset(self) -> None:
        self.accounts.clear()
