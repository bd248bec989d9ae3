"""Habits of SFTP servers that clients must live with, on demand: `POST /sftp/habits`.

Written from draft-ietf-secsh-filexfer-02 (version 3 of the protocol). A server may answer any request with a status
(§ 7): SSH_FX_PERMISSION_DENIED, SSH_FX_FAILURE or SSH_FX_OP_UNSUPPORTED; it may leave attributes out (§ 5: each is
optional); renaming an existing name is an error (§ 6.5); and nothing says that a file is still there once it is closed.
A full disk has no status of its own: it is SSH_FX_FAILURE, at a write or at the closing.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from sandbox.exchange import RejectedError
from sandbox.parties import ACCOUNT_NAME

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class SftpHabits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of `POST /sftp/habits`: of one account, or of all that have none of their own. Without any: as usual.

    stat: sizes are told, told as 0, left out, or the request is refused.
    rename: files are renamed; by the protocol's own request only (`plain`); that is refused, fails, or is never
    answered (`hangs`) though the file is renamed.
    names: any; none that begins with a dot; or none with a dot in it while the file is written.
    taken: a file is gone, and processed whatever its name, as soon as it is closed.
    room: so many bytes of a file are written, then the disk is full; `full_at`: at the write, or at the closing.
    breaks_after: the connection ends after so many bytes of a file. `breaks`: for so many files; absent: for all.
    removal: files may be removed or not.
    exchanges: the key exchanges that are offered, for all accounts only.
    """

    account: Text | None = None
    stat: Literal["told", "zero", "absent", "refused"] = "told"
    rename: Literal["both", "plain", "refused", "unsupported", "fails", "hangs"] = "both"
    names: Literal["any", "visible", "plain"] = "any"
    taken: bool = False
    room: Annotated[int, msgspec.Meta(ge=0)] | None = None
    full_at: Literal["write", "close"] = "write"
    breaks_after: Annotated[int, msgspec.Meta(ge=0)] | None = None
    breaks: Annotated[int, msgspec.Meta(ge=1)] | None = None
    removal: bool = True
    exchanges: Annotated[list[Text], msgspec.Meta(min_length=1, max_length=20)] | None = None

    def takes_name(self, name: str) -> bool:
        """Whether a file may be created under this name."""
        if self.names == "any":
            return True
        if self.names == "visible":
            return not name.startswith(".")
        return "." not in name


USUAL = SftpHabits()


class HabitsOfAccounts:
    """The habits that were asked for, by account. Read by the threads of the SFTP server."""

    def __init__(self) -> None:
        self._given: dict[str | None, SftpHabits] = {}
        self._broken: dict[str | None, int] = {}

    def of(self, account: str) -> SftpHabits:
        return self._given.get(account) or self._given.get(None, USUAL)

    @property
    def exchanges(self) -> list[str] | None:
        return self._given.get(None, USUAL).exchanges

    def breaks(self, account: str) -> bool:
        """Count a file at which the connection would break; returns whether it does."""
        habits = self.of(account)
        self._broken[habits.account] = self._broken.get(habits.account, 0) + 1
        return habits.breaks is None or self._broken[habits.account] <= habits.breaks

    def order(self, body: bytes) -> None:
        """Replace the habits of an account, or of all. Raises `RejectedError` (400) for what is no habit."""
        try:
            asked = msgspec.json.decode(body, type=SftpHabits)
        except msgspec.DecodeError as error:
            raise RejectedError(400, str(error)) from error
        if asked.account is not None and not ACCOUNT_NAME.fullmatch(asked.account):
            raise RejectedError(400, f"{asked.account!r} is no account")
        if asked.account is not None and asked.exchanges is not None:
            raise RejectedError(400, "exchanges come before the log-in: they are of all accounts")
        if asked.breaks is not None and asked.breaks_after is None:
            raise RejectedError(400, "breaks needs breaks_after")
        self._given[asked.account] = asked
        self._broken.pop(asked.account, None)

    def reset(self) -> None:
        self._given.clear()
        self._broken.clear()

    def listed(self) -> list[Mapping[str, Any]]:
        return [msgspec.to_builtins(habits) for habits in self._given.values()]
