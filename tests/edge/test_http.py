"""HTTP/1.1 as the edge speaks it: what is sent over one socket, and what comes back."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from core.inbox import InboxKind
from edge import responses
from edge.chunks import ChunkReader
from edge.request_head import BadRequestError, RequestHead
from tests.support.edge_client import COMMON
from tests.support.edge_process import DP, TOKEN_PLATFORM, TOKENS, EdgeProcess, RunningEdge, until

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
POST = f"POST /dp?m={DP['m']}&id={DP['id']}&uuid={USER} HTTP/1.1\r\nHost: edge\r\n"
SYNC = f"GET /uid?pl={TOKEN_PLATFORM}&plsec={TOKENS[0]}&userid=abc HTTP/1.1\r\nHost: edge\r\nCookie: dmpuid={USER}\r\n"
HEALTH = "GET /healthz HTTP/1.1\r\nHost: edge\r\n\r\n"


class Wire:
    """One connection; `status` reads one response and returns its status, named status and body."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._file = connection.makefile("rb")
        self.headers: dict[str, str] = {}

    def send_until_it_blocks(self, text: bytes, most: int) -> int:
        """Returns how many bytes were taken before none was for two seconds, or `most` and more."""
        self._socket.settimeout(2)
        sent = 0
        with suppress(TimeoutError):
            while sent < most:
                sent += self._socket.send(text)
        return sent

    def send(self, text: str | bytes) -> "Wire":
        self._socket.sendall(text.encode("latin-1") if isinstance(text, str) else text)
        return self

    def end(self) -> "Wire":
        self._socket.shutdown(socket.SHUT_WR)
        return self

    def status(self, *, has_body: bool = True) -> tuple[int, str]:
        line = self._file.readline().decode()
        self.headers = {}
        while field := self._file.readline().strip():
            name, _, value = field.decode().partition(": ")
            self.headers[name] = value
        if has_body:
            self._file.read(int(self.headers.get("content-length", 0)))
        return int(line.split()[1]), self.headers.get("x-dmp-status", "")

    def is_closed(self) -> bool:
        """Whether the edge ends the connection, and sends no more before."""
        return self._file.read(1) == b""


@contextmanager
def _connected(edge: RunningEdge) -> Iterator[Wire]:
    with socket.create_connection(("127.0.0.1", edge.process.port), timeout=10) as connection:
        yield Wire(connection)


@pytest.fixture
def wire(edge: RunningEdge) -> Iterator[Wire]:
    with _connected(edge) as one:
        yield one


def test_requests__sent_at_once__get_their_responses_in_order(wire: Wire) -> None:
    wire.send(HEALTH + SYNC + "\r\n" + HEALTH.replace("healthz", "nowhere") + HEALTH)
    assert [wire.status() for _ in range(4)] == [(200, "ok"), (200, "stored"), (404, "not-found"), (200, "ok")]


def test_request__byte_by_byte__is_understood(wire: Wire) -> None:
    for byte in HEALTH:
        wire.send(byte)
    assert wire.status() == (200, "ok")
    assert COMMON.items() <= wire.headers.items()
    assert wire.headers["date"].endswith(" GMT")


def test_request__after_empty_lines__is_understood(wire: Wire) -> None:
    assert wire.send("\r\n\r\n" + HEALTH).status() == (200, "ok")


def test_head__has_the_headers_of_get_and_no_body(wire: Wire) -> None:
    wire.send(HEALTH.replace("GET", "HEAD") + HEALTH)
    assert wire.status(has_body=False) == (200, "ok")
    assert wire.headers["content-length"] == "3"
    assert wire.status() == (200, "ok")


@pytest.mark.parametrize(
    ("line", "closes"),
    [("HTTP/1.1\r\nConnection: close", True), ("HTTP/1.0", True), ("HTTP/1.0\r\nConnection: keep-alive", False)],
)
def test_connection__is_kept_as_the_client_asks(wire: Wire, line: str, closes: bool) -> None:
    wire.send(HEALTH.replace("HTTP/1.1", line))
    assert wire.status() == (200, "ok")
    assert wire.headers.get("connection") == ("close" if closes else "keep-alive")
    if closes:
        assert wire.is_closed()
    else:
        assert wire.send(HEALTH).status() == (200, "ok")


def test_body__in_chunks_and_pieces__is_put_together(edge: RunningEdge, wire: Wire) -> None:
    wire.send(POST + "Transfer-Encoding: chunked\r\n\r\n")
    for piece in ("4;x=y\r", '\n{"a"\r\n', "3\r\n: 1\r\n1\r\n}", "\r\n0\r\nTrailer: x\r\n\r\n" + HEALTH):
        wire.send(piece)
    assert [wire.status(), wire.status()] == [(200, "accepted"), (200, "ok")]
    assert edge.only_row().body == b'{"a": 1}'


def test_body__that_comes_after_its_head__is_read(edge: RunningEdge, wire: Wire) -> None:
    wire.send(POST + 'Content-Length: 7\r\n\r\n{"a"').send(":1}" + HEALTH)
    assert [wire.status(), wire.status()] == [(200, "accepted"), (200, "ok")]
    assert (edge.only_row().kind, edge.only_row().body) == (InboxKind.EVENT, b'{"a":1}')


def test_body__announced_with_expect__is_asked_for(wire: Wire) -> None:
    wire.send(POST + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
    assert wire.status() == (100, "")
    assert wire.send("{}").status() == (200, "accepted")


def test_body__announced_with_expect_in_http_1_0__is_awaited_in_silence(wire: Wire) -> None:
    wire.send(POST.replace("1.1", "1.0") + "Content-Length: 2\r\nExpect: 100-continue\r\n\r\n").send("{}")
    assert wire.status() == (200, "accepted")


def test_body__broken_where_nobody_reads_it__ends_the_connection_after_the_response(wire: Wire) -> None:
    wire.send(SYNC + "Transfer-Encoding: chunked\r\n\r\nbroken\r\n0\r\n\r\n" + HEALTH)
    assert wire.status() == (200, "stored")
    assert wire.end().is_closed()


def test_body__refused_before_it_is_read__does_not_become_a_request(edge: RunningEdge, wire: Wire) -> None:
    smuggled = SYNC + "\r\n"
    wire.send(f"POST /uid HTTP/1.1\r\nHost: edge\r\nContent-Length: {len(smuggled) + 10}\r\n\r\n").send(smuggled)
    assert wire.status() == (405, "bad-method")
    assert wire.headers["connection"] == "close"
    assert wire.is_closed()
    assert edge.rows() == []


def test_body__too_large__is_refused_by_its_length(wire: Wire) -> None:
    wire.send(POST + "Content-Length: 99999999\r\n\r\n").send(bytes(100_000))
    assert wire.status() == (413, "too-large")
    assert wire.is_closed()


def test_client__that_sends_no_more__still_gets_its_responses(wire: Wire) -> None:
    wire.send(SYNC + "\r\n" + HEALTH).end()
    assert [wire.status(), wire.status()] == [(200, "stored"), (200, "ok")]
    assert wire.is_closed()


def test_client__that_leaves_within_its_body__stores_nothing(edge: RunningEdge, wire: Wire) -> None:
    wire.send(POST + "Content-Length: 10\r\n\r\n{").end()
    assert wire.is_closed()
    assert edge.rows() == []


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ("Content-Length: 2\r\nContent-Length: 3\r\n", "{}"),
        ("Content-Length: 2, 2\r\n", "{}"),
        ("Content-Length: +2\r\n", "{}"),
        ("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("Content-Length : 2\r\n", "{}"),
        ("X: a\r\n b\r\n", ""),
        ("X\r\n", ""),
        ("X: \0\r\n", ""),
        ("X: a\nContent-Length: 2\r\n", "{}"),
        ("X: a\rb\r\n", ""),
        ("Content-Length: 2\r\nContent-Length: 2\r\n", "{}"),
        ("Host: other\r\n", ""),
        ("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "2\r\n{}x0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "0x2\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "2;x\ny\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nX: y\n\n"),
        ("Transfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\nno field\r\n\r\n"),
    ],
)
def test_request__that_two_servers_could_read_differently__is_refused(
    edge: RunningEdge, wire: Wire, fields: str, body: str
) -> None:
    wire.send(POST + fields + "\r\n" + body + HEALTH)
    assert wire.status() == (400, "bad-request")
    assert COMMON.items() <= wire.headers.items()
    assert wire.headers["connection"] == "close"
    assert wire.end().is_closed()
    assert edge.rows() == []


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("nonsense\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        ("GET /healthz\r\n", 400),
        ("GET /healthz HTTP/1.1\nHost: edge\n\n", 400),
        ("GET /healthz HTTP/1.1\r\nHost: edge\n\n", 400),
        ("\x16\x03\x01\x00\xf4\x01", 400),
        ("GET /heal thz HTTP/1.1\r\n\r\n", 400),
        (f"GET /?{'x' * 65_535} HTTP/1.1\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\n" + "X: y\r\n" * 101 + "\r\n", 431),
        ("GET / HTTP/1.1\r\nX: " + "y" * 140_000, 431),
    ],
)
def test_head__that_is_none_or_too_large__is_refused(wire: Wire, request_: str, status: int) -> None:
    assert wire.send(request_).status() == (status, "bad-request")


def test_many_pipelined_requests__to_a_client_that_reads_late__are_all_answered(wire: Wire) -> None:
    wire.send(HEALTH * 2_000)
    assert {wire.status() for _ in range(2_000)} == {(200, "ok")}


def test_client__that_sends_requests_and_reads_nothing__is_read_no_further(edge: RunningEdge) -> None:
    with _connected(edge) as wire:
        assert wire.send_until_it_blocks(HEALTH.encode() * 1_000, 40 * 2**20) < 30 * 2**20
        assert edge.client.get("/healthz").status == 200


def test_clients__who_announce_bodies_and_send_none__hold_up_nobody(edge: RunningEdge, database_url: str) -> None:
    with _few_files(), EdgeProcess(database_url) as started, ExitStack() as connections:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for _ in range(1_100):
            silent = connections.enter_context(socket.create_connection(("127.0.0.1", started.port), timeout=10))
            silent.sendall(f"{POST}Content-Length: 5\r\n\r\n".encode())
        assert started.client.get("/healthz").status == 200
        with _connected(RunningEdge(started, edge.database)) as wire:
            until(started.ready)
            assert wire.send(SYNC + "\r\n").status() == (200, "stored")


@contextmanager
def _few_files() -> Iterator[None]:
    """Processes that start within may open 1,024 files, as on many systems, unless they ask for more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_cookie_of_another_site__in_no_charset__leaves_ours_readable(edge: RunningEdge, wire: Wire) -> None:
    wire.send(SYNC.replace("Cookie: ", "Cookie: other=\xe9; ") + "\r\n")
    assert wire.status() == (200, "stored")
    assert edge.only_row().message["user"] == USER


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/a%20b?c%20d", "/a b", b"c%20d"),
        (b"http://edge:80/a?b", "/a", b"b"),
        (b"https://edge?b", "/", b"b"),
        (b"/a?b#c", "/a", b"b"),
        (b"/%ff", "/\ufffd", b""),
        (b"*", "*", b""),
    ],
)
def test_target__in_each_form__gives_path_and_query(target: bytes, path: str, query: bytes) -> None:
    head = RequestHead(b"GET " + target + b" HTTP/1.1\r\nHost: edge")
    assert (head.path, head.query) == (path, query)


def test_head__with_fields__has_them_in_lower_case_trimmed_and_joined() -> None:
    head = RequestHead(b"POST / HTTP/1.0\r\nX-Y:\t A b \r\nCOOKIE: A=b\r\nEmpty:\r\ncookie: c=d\r\nx: 1\r\nX:2")
    assert head.fields == {b"x-y": b"A b", b"cookie": b"A=b; c=d", b"empty": b"", b"x": b"1, 2"}


def test_chunks__of_endless_lines__are_refused() -> None:
    with pytest.raises(BadRequestError):
        ChunkReader().feed(b"1;" + b"x" * 5_000)
    with pytest.raises(BadRequestError):
        ChunkReader().feed(b"0\r\n" + b"x: y\r\n" * 10_000)
    with pytest.raises(BadRequestError):
        ChunkReader().feed((b"1;" + b"x" * 4_000 + b"\r\n.\r\n") * 5)


def test_chunks__cut_anywhere__give_the_same_content() -> None:
    sent = b"3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\nx: y\r\n\r\nrest"
    for cut in range(len(sent)):
        reader = ChunkReader()
        content = reader.feed(sent[:cut]) + reader.feed(sent[cut:])
        assert content == b"abc0123456789abcdef"
        assert reader.rest is not None


def test_response__whose_header_would_hold_two_lines__is_not_made() -> None:
    with pytest.raises(ValueError, match="more than one line"):
        responses.redirect("stored", b"https://example.com/\r\nSet-Cookie: a=b")
