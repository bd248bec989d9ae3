"""The sandbox as a process of its own, for every test that needs a third party."""

import subprocess
import sys
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, Self

import requests

ROOT = Path(__file__).resolve().parents[2]
READY_WITHIN = 60.0
STOP_WITHIN = 5.0
TIMEOUT = 30.0
PAGE = 50_000

State = dict[str, dict[str, dict[str, Any]]]
"""Third party, account, and what it holds (`sandbox.ledger.PartyAccount.state`)."""


class SandboxProcess:
    """`with SandboxProcess() as sandbox:` runs one on free ports; `sandbox.url` has no slash at the end.

    `sftp`: with its SFTP door, whose address and key `sftp_door()` tells.
    """

    def __init__(self, port: int = 0, *, sftp: bool = False) -> None:
        door = ["--sftp-port", "0"] if sftp else []
        self._command = [sys.executable, "-m", "sandbox", "--port", str(port), *door]
        self.url = ""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = self._ready()
        self._session = requests.Session()
        self._session.trust_env = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()
        self.stop()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def segments_url(self) -> str:
        """The generic third party's one address."""
        return f"{self.url}/generic/v1/segment"

    def held(self, party: str, account: str) -> dict[str, Any]:
        """What that account of that third party holds: its part of `/state`."""
        return self.state(account)[party][account]

    @staticmethod
    def credentials(account: str) -> tuple[str, str]:
        """User name and password of an account of the generic third party."""
        return account, f"{account}-secret"

    def state(self, account: str | None = None, *, members: bool = True) -> State:
        """`{"generic": {account: {"segments": {id: {"title", "size", "members"}}, counters}}, "sync": …}`"""
        given = {"members": str(int(members))} | ({} if account is None else {"account": account})
        state: State = self._call("GET", "/state", given).json()
        return state

    def members(self, account: str, title: str) -> set[str]:
        """The members of the account's segment of that title; LookupError when it has none."""
        for segment in self.state(account)["generic"][account]["segments"].values():
            if segment["title"] == title:
                return set(segment["members"])
        raise LookupError(f"{account} has no segment {title!r}")

    def received(self, account: str, since: int = 0, party: str = "generic") -> list[tuple[int, float, str, int, str]]:
        """Every (sequence, unix time, "add"|"remove", segment id, user id) after `since`, in order.

        LookupError when the sandbox has forgotten some of them.
        """
        arrivals: list[tuple[int, float, str, int, str]] = []
        more = True
        while more:
            given = {"account": account, "party": party, "since": str(since), "limit": str(PAGE)}
            rows = [tuple(row) for row in self._call("GET", "/received", given).json()]
            if rows and rows[0][0] != since + 1:
                raise LookupError(f"the sandbox kept nothing between {since} and {rows[0][0]}")
            arrivals += rows
            since, more = since + len(rows), len(rows) == PAGE
        return arrivals

    def sftp_door(self) -> dict[str, Any]:
        """`{"host", "port", "host_key"}`: settings and credentials of a platform, less `credentials(account)`."""
        door: dict[str, Any] = self._call("GET", "/sftp").json()
        return door

    def faults(self, **order: object) -> list[dict[str, Any]]:
        """Orders a fault (`target="generic/a", status=503, times=2`, or `clear=True`); those now active."""
        active: list[dict[str, Any]] = self._call("POST", "/faults", json=order).json()
        return active

    def sftp_habits(self, **order: object) -> list[dict[str, Any]]:
        """Orders the habits of the SFTP server (`account="files-a", stat="refused"`); those that it has now."""
        given: list[dict[str, Any]] = self._call("POST", "/sftp/habits", json=order).json()
        return given

    def reset(self) -> None:
        self._call("POST", "/reset")

    def stop(self) -> int:
        """Stops it as an operator would; its exit status."""
        self._process.terminate()
        try:
            status = self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        return status

    def _ready(self) -> str:
        assert self._process.stdout is not None
        patience = Timer(READY_WITHIN, self._process.kill)
        patience.start()
        line = self._process.stdout.readline()
        patience.cancel()
        if not line.startswith("ready sandbox="):
            raise RuntimeError(f"the sandbox did not start: it said {line!r}, exit {self.stop()}")
        return line.split()[1].removeprefix("sandbox=")

    def _call(
        self, method: str, path: str, params: dict[str, str] | None = None, json: object = None
    ) -> requests.Response:
        answer = self._session.request(method, self.url + path, params=params, json=json, timeout=TIMEOUT)
        if not answer.ok:
            raise ValueError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer
