"""Where the hub does not go, however the address is written."""

import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from integrations import addresses, http
from integrations.connectors.files import S3Destination, SftpDestination
from integrations.deadline import Deadline
from integrations.errors import IntegrationError, MisconfiguredError
from integrations.http import Request
from integrations.uploads import s3, sftp
from tests.integrations.test_http import Peer, plain

PRIVATE = [
    "127.0.0.1",
    "127.1",
    "0.0.0.1",
    "0",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "192.0.0.8",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "2130706433",
    "0x7f000001",
    "017700000001",
    "0x7f.1",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "fe80::1",
    "fc00::1",
    "fd12::1",
    "fec0::1",
    "ff02::1",
    "2002:7f00:1::",
    "2001:0:1::",
    "100::1",
    "localhost",
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8"]


@pytest.fixture(autouse=True)
def _guarded(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ALLOW_PRIVATE_TARGETS = False
    monkeypatch.setattr(http, "_local", threading.local())


@pytest.mark.parametrize("host", PRIVATE)
def test_address_inside__is_refused_on_every_way_out(host: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    literal = f"[{host}]" if ":" in host else host
    with pytest.raises(IntegrationError) as raised:
        http.send(Request("GET", f"http://{literal}:9/"), 2)
    assert isinstance(raised.value, MisconfiguredError)
    with pytest.raises(MisconfiguredError, match="private network"):
        addresses.resolve(host, 22, Deadline(2))
    with pytest.raises(MisconfiguredError, match="private network"):
        sftp.upload(SftpDestination(host, 22, "", "u", "p"), file, "x", "", lambda: None, Deadline(2))
    with pytest.raises(MisconfiguredError, match="private network"):
        s3.upload(S3Destination(f"http://{literal}:9", "bucket", "", "k", "s"), file, "x", lambda: None, Deadline(2))


@pytest.mark.parametrize("address", PUBLIC)
def test_address_outside__may_be_called(address: str) -> None:
    assert addresses.is_public(address)


def test_name_that_means_something_else_by_the_time_of_the_call__is_refused_at_the_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The store's client resolves by itself: what it has connected to is looked at before anything is said."""
    peer = Peer()
    said = iter(["93.184.215.14"])
    real = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *more: Any, **options: Any) -> Any:
        return real(next(said, "127.0.0.1") if host == "rebinding.example" else host, port, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    file = tmp_path / "file"
    file.write_bytes(b"x")
    port = peer.url.rsplit(":", 1)[1].strip("/")
    with pytest.raises(MisconfiguredError, match="private network"):
        s3.upload(
            S3Destination(f"http://rebinding.example:{port}", "bucket", "", "k", "s"),
            file,
            "x",
            lambda: None,
            Deadline(2),
        )
    assert set(peer.requests) <= {b""}
    peer.close()


def test_answer_that_unpacks_without_end__is_capped(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    settings.ALLOW_PRIVATE_TARGETS = True
    peer = Peer()
    packed = gzip.compress(b"\0" * (64 * http.MAX_BYTES))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n"
    peer.answer = plain(head.encode() + packed)
    assert len(http.send(Request("GET", peer.url), 5).body) == http.MAX_BYTES
    peer.close()
