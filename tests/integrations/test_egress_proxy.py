"""The way out through a proxy: for everything that is sent, and to checked addresses only."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations import http
from integrations.connectors.files import S3Destination, SftpDestination
from integrations.deadline import Deadline
from integrations.errors import IntegrationError, MisconfiguredError, RetriableError
from integrations.http import Request
from integrations.uploads import s3, sftp
from tests.integrations.test_http import Peer, peer, private_targets
from tests.support.connect_proxy import ConnectProxy
from tests.support.sftp_server import PASSWORD, USER, SftpServer

__all__ = ["peer", "private_targets"]


@pytest.fixture
def proxy(settings: Any) -> Iterator[ConnectProxy]:
    with ConnectProxy() as proxy:
        settings.EGRESS_PROXY = proxy.url
        yield proxy


def test_request__with_a_proxy__goes_through_it_to_a_numeric_address(peer: Peer, proxy: ConnectProxy) -> None:
    url = peer.url.replace("127.0.0.1", "localhost")
    assert http.send(Request("POST", url, body=b"data"), 5.0).body == b"ok"

    (asked,) = proxy.asked
    port = peer.url.rstrip("/").rpartition(":")[2]
    assert asked.startswith(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n")
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'hub:correct horse').decode()}\r\n" in asked
    assert b"Proxy-Authorization" not in peer.requests[0]


def test_upload__with_a_proxy__goes_through_it(private_targets: Any, proxy: ConnectProxy, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    found: list[str] = []
    with SftpServer(tmp_path) as server, Deadline(10.0) as deadline:
        to = SftpDestination("127.0.0.1", server.port, "in", USER, PASSWORD)
        sftp.try_out(to, "probe", "", found, deadline)

    assert "removed" in found[-1]
    assert len(proxy.asked) == 1


def test_store__with_a_proxy__is_reached_through_it(private_targets: Any, peer: Peer, proxy: ConnectProxy) -> None:
    to = S3Destination(peer.url.rstrip("/"), "bucket", "", "key", "secret")
    with Deadline(10.0) as deadline, pytest.raises(IntegrationError):  # the peer is no store
        s3.try_out(to, "probe", [], deadline)

    assert proxy.asked
    assert peer.requests


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "10.0.0.1", "[::1]", "169.254.169.254"])
def test_address_inside__with_a_proxy__is_refused_before_the_proxy_is_asked(
    settings: Any, proxy: ConnectProxy, host: str
) -> None:
    settings.ALLOW_PRIVATE_TARGETS = False
    with pytest.raises(MisconfiguredError):
        http.send(Request("GET", f"http://{host}:1/"), 5.0)
    with Deadline(5.0) as deadline, pytest.raises(MisconfiguredError):
        sftp.try_out(SftpDestination(host.strip("[]"), 22, "", "u", "p"), "probe", "", [], deadline)

    assert proxy.asked == []


@pytest.mark.parametrize(
    "refusal", [b"HTTP/1.1 407 Who are you\r\n\r\n", b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 200", b"\0" * 9000]
)
def test_proxy_that_refuses__is_tried_again_later(peer: Peer, proxy: ConnectProxy, refusal: bytes) -> None:
    proxy.refusal = refusal
    with pytest.raises(RetriableError, match="proxy"):
        http.send(Request("GET", peer.url), 5.0)

    assert peer.requests == []


def test_proxy_that_is_away__is_tried_again_later(peer: Peer, settings: Any) -> None:
    settings.EGRESS_PROXY = "http://127.0.0.1:1"
    with pytest.raises(RetriableError):
        http.send(Request("GET", peer.url), 5.0)
