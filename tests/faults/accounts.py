"""The platforms of the run of kills, one for each way of sending, and what each of them holds in the end."""

from collections.abc import Iterator, Sequence
from typing import Any

from local.demo.api import Api
from tests.faults.duplicates import Duplicates, duplicates
from tests.support.chaos_world import ACCOUNTS, ChaosConfiguration, held_segments, one_by_one
from tests.support.sandbox_process import SandboxProcess

ONE_BY_ONE = "east"
FILES = "files-west"
# the most rows of a claim: fifty where each has a request of its own, else the size of a micro-batch
BATCH = 50


def other_accounts(sandbox: SandboxProcess) -> dict[str, dict[str, Any]]:
    """Beside the two of `ACCOUNTS`, which take micro-batches."""
    return {ONE_BY_ONE: one_by_one(sandbox, ONE_BY_ONE), FILES: _files(sandbox)}


def _files(sandbox: SandboxProcess) -> dict[str, Any]:
    door = sandbox.sftp_door()
    user, password = sandbox.credentials(FILES)
    return {
        "connector": "file",
        "settings": {
            "target": "sftp",
            "host": door["host"],
            "port": door["port"],
            "path": "/upload",
            "interval_minutes": 1,
            "operation_column": True,
            "removal": "operation",
        },
        "credentials": {"username": user, "password": password, "host_key": door["host_key"]},
    }


def held(sandbox: SandboxProcess, api: Api, configured: ChaosConfiguration) -> dict[tuple[str, str], set[str]]:
    """The members of each (account, segment), files included."""
    return held_segments(sandbox) | dict(_held_by_files(sandbox, api, configured))


def _held_by_files(
    sandbox: SandboxProcess, api: Api, configured: ChaosConfiguration
) -> Iterator[tuple[tuple[str, str], set[str]]]:
    titles = {number: title for title, number in configured.audiences.items()}
    segments = sandbox.held("files", FILES)["segments"]
    for number in configured.activations:
        activation = api.get(f"activations/{number}/")
        if activation["platform"] == configured.platforms[FILES]:
            found = segments.get(str(activation["segment_id"]), {"members": []})
            yield (FILES, titles[activation["audience"]]), set(found["members"])


def sent_twice(sandbox: SandboxProcess, crashes: Sequence[float]) -> dict[str, Duplicates]:
    """By account."""
    found = {
        account: duplicates(sandbox.received(account), crashes, BATCH, files=False)
        for account in (*ACCOUNTS, ONE_BY_ONE)
    }
    largest = max((file["rows"] for file in sandbox.held("files", FILES)["files"]), default=0)
    found[FILES] = duplicates(sandbox.received(FILES, party="files"), crashes, largest, files=True)
    return found
