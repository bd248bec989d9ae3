"""Files as a sender uploads them."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko

from tests.support.sandbox_process import SandboxProcess

EXAMPLE = "ExamplePartner_201407302300.log.gz"
"""The worked example of 004_61881f248519e6eb.txt, with the blank line that its note demands."""


def example() -> str:
    fixtures = Path(__file__).parents[1] / "sandbox" / "fixtures"
    return (fixtures / EXAMPLE.removesuffix(".gz")).read_text(encoding="ascii")


def s2s_text(name: str, rows: str, **header: str) -> str:
    """An audience file of these rows; `header` changes fields of the usual one."""
    fields = {
        "Version": "3",
        "FileIdentifier": name,
        "DateCreated": "1406761200",
        "UserNamespace": "mm",
        "SegmentNamespace": "ep",
        "Mobile": "0",
        "HashSegments": "0",
    } | header
    return "".join(f"{field}: {value}\n" for field, value in fields.items()) + "\n" + rows


@contextmanager
def sftp(sandbox: SandboxProcess, account: str, password: str | None = None) -> Iterator[paramiko.SFTPClient]:
    door = sandbox.sftp_door()
    transport = paramiko.Transport((door["host"], door["port"]))
    try:
        transport.connect(username=account, password=password or sandbox.credentials(account)[1])
        client = paramiko.SFTPClient.from_transport(transport)
        assert client is not None
        yield client
    finally:
        transport.close()


def put(client: paramiko.SFTPClient, name: str, text: str) -> None:
    """Uploads under a passing name, then renames."""
    with client.open(f"/upload/.{name}.part", "wb") as file:
        file.write(gzip.compress(text.encode()))
    client.rename(f"/upload/.{name}.part", f"/upload/{name}")
