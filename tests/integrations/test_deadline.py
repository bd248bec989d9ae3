"""One deadline for a whole exchange: a platform that sends or reads a byte now and then is cut off."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations import authorization, http
from integrations.authorization import ClientCredentials, TokenCache
from integrations.connectors.files import S3Destination, SftpDestination
from integrations.deadline import Deadline
from integrations.errors import IntegrationError, RetriableError, UnansweredError
from integrations.http import Request
from integrations.uploads import upload
from integrations.uploads.folder import FileOwner
from integrations.uploads.upload import FileUpload
from tests.activation.conftest import private_targets
from tests.sandbox.conftest import running_sandbox, sandbox
from tests.support.edge_process import until
from tests.support.listening import accepted
from tests.support.sandbox_process import SandboxProcess
from tests.support.sftp_server import PASSWORD, USER, SftpServer
from tests.support.trickling import TricklingWire

__all__ = ["private_targets", "running_sandbox", "sandbox"]

PAUSE_SECONDS = 0.1
SECONDS = 0.6
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

Talk = Callable[[socket.socket], None]


class Peer:
    """Talks with every connection by `talk`, which goes on for ever; `cut` once the other side has hung up on it."""

    def __init__(self) -> None:
        self.talk: Talk = drip(b"")
        self.cut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        for connection in accepted(self._listener):
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.talk(connection)
            except OSError:
                self.cut.set()

    def url(self, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}/"

    def close(self) -> None:
        self._listener.close()


def drip(before: bytes, drop: bytes = b"x") -> Talk:
    """Send `before` at once, then `drop` for ever, with pauses."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(before)
        while True:
            pause()
            connection.sendall(drop)

    return talk


def say_nothing(connection: socket.socket) -> None:
    while connection.recv(65_536):
        pass
    raise OSError


def read_slowly(connection: socket.socket) -> None:
    while connection.recv(1_000):
        pause()
    raise OSError


def pause() -> None:
    threading.Event().wait(PAUSE_SECONDS)


@pytest.fixture
def peer(private_targets: Any) -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


@pytest.mark.parametrize(
    "talk",
    [
        drip(b"", b"H"),
        drip(b"HTTP/1.1 200 OK\r\n", b"X"),
        drip(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(HEAD),
        drip(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        say_nothing,
        read_slowly,
    ],
    ids=["status", "header", "headers", "continue", "body", "endless", "chunks", "silence", "upload"],
)
def test_exchange__with_a_platform_that_trickles__ends_at_the_deadline_and_hangs_up(peer: Peer, talk: Talk) -> None:
    peer.talk = talk
    body = b"x" * (4_000_000 if talk is read_slowly else 10)
    with pytest.raises(UnansweredError, match="in time"):
        http.exchange(Request("POST", peer.url(), body=body), SECONDS)
    assert peer.cut.wait(5)


def test_kept_connection__that_begins_to_trickle__is_cut_off_too(peer: Peer) -> None:
    def well_then_ill(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        drip(b"", b"H")(connection)

    peer.talk = well_then_ill
    assert http.exchange(Request("GET", peer.url()), SECONDS).body == b"ok"
    with pytest.raises(UnansweredError):
        http.exchange(Request("GET", peer.url()), SECONDS)
    assert peer.cut.wait(5)


@pytest.mark.parametrize("talk", [say_nothing, drip(b"\x16\x03\x03\x0f\xff", b"\x02")], ids=["silence", "trickle"])
def test_handshake__that_never_ends__is_cut_off_and_was_applied_by_nobody(peer: Peer, talk: Talk) -> None:
    peer.talk = talk
    with pytest.raises(RetriableError, match="could not be reached in time") as raised:
        http.exchange(Request("POST", peer.url("https"), body=b"x"), SECONDS)
    assert not isinstance(raised.value, UnansweredError)
    assert peer.cut.wait(5)


def test_token__that_trickles__is_waited_for_once_by_all_who_need_it(peer: Peer) -> None:
    """Threads that wait for the token that another one fetches have the same deadline as that one."""
    peer.talk = drip(HEAD)
    source = ClientCredentials(peer.url(), "hub", "secret")
    tokens, failures = TokenCache(http.exchange), list[IntegrationError]()

    def send() -> None:
        try:
            authorization.exchange(Request("POST", peer.url(), body=b"x"), source, SECONDS, tokens)
        except IntegrationError as failure:
            failures.append(failure)

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: len(failures) == 6, 3 * SECONDS)
    assert {type(failure) for failure in failures} == {RetriableError}


def test_look_up_of_a_name__that_hangs__is_waited_for_until_the_deadline(private_targets: Any) -> None:
    hanging = threading.Event()
    with Deadline(PAUSE_SECONDS) as deadline, pytest.raises(TimeoutError):
        deadline.wait_for(hanging.wait)
    with Deadline(5) as deadline:
        assert deadline.wait_for(lambda: "others go on") == "others go on"
        with pytest.raises(ZeroDivisionError):
            deadline.wait_for(lambda: 1 // 0)
    hanging.set()


# ── files ────────────────────────────────────────────────────────────────────────────────────────────


def upload_of(folder: Path, size: int = 100_000) -> FileUpload:
    path = folder / "file"
    path.write_bytes(b"x" * size)
    return FileUpload(path, "file.tsv", "", lambda: None, 1.0, FileOwner(1, 7))


@pytest.mark.parametrize("phase", ["handshake", "upload", "reading"])
def test_sftp_server__that_trickles__is_cut_off(private_targets: Any, tmp_path: Path, phase: str) -> None:
    (tmp_path / "served").mkdir()
    with SftpServer(tmp_path / "served") as server, TricklingWire(server.port) as wire:
        wire.slow_answers = phase == "handshake"

        def trickle() -> None:
            wire.slow_answers, wire.slow_requests = phase == "upload", phase == "reading"

        server.on_open = trickle
        to = SftpDestination("127.0.0.1", wire.port, "in", USER, PASSWORD)
        with pytest.raises(RetriableError):
            upload.upload(to, upload_of(tmp_path, 1_000_000), None)
        until(lambda: wire.open == 0)
        assert "file.tsv" not in server.files()


@pytest.mark.parametrize("phase", ["answer", "reading"])
def test_object_store__that_trickles__is_cut_off(
    sandbox: SandboxProcess, private_targets: Any, tmp_path: Path, phase: str
) -> None:
    with TricklingWire(sandbox.port) as wire:
        wire.slow_answers, wire.slow_requests = phase == "answer", phase == "reading"
        store = S3Destination(f"http://127.0.0.1:{wire.port}/s3", "drop", "", "foo", "foo-secret", "eu-central-1")
        with pytest.raises(UnansweredError):
            upload.upload(store, upload_of(tmp_path), None)
        until(lambda: wire.open == 0)


def test_upload__that_goes_on_slowly__may_take_as_long_as_its_size_allows(tmp_path: Path) -> None:
    with upload_of(tmp_path, 100_000).deadline() as deadline:
        assert 0.5 < deadline.left <= 1.0  # a step
        pause()
        deadline.progress()
        assert deadline.left > 0.95


@pytest.mark.parametrize("seconds", [(30.0, 0.1), (0.1, 30.0)])
def test_deadlines__of_several_exchanges__end_each_at_its_own_time(seconds: tuple[float, float]) -> None:
    with Deadline(seconds[0]) as first, Deadline(seconds[1]) as second:
        ends = [socket.socketpair() for _ in range(2)]
        first.watch(ends[0][0])
        second.watch(ends[1][0])
        early = seconds.index(min(seconds))
        assert ends[early][0].recv(1) == b""  # blocks until it is shut down
        assert (first.passed, second.passed) == (early == 0, early == 1)
        ends[1 - early][1].sendall(b"x")
        assert ends[1 - early][0].recv(1) == b"x"
    for end in (end for pair in ends for end in pair):
        end.close()
