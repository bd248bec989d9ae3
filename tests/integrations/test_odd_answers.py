"""Platforms that answer in ways no document describes: each is an error that says what to do, none a success."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core import clock
from integrations import http
from integrations.connectors.files import S3Destination
from integrations.errors import RetriableError, UnansweredError
from integrations.http import Request
from integrations.uploads.folder import FileOwner
from integrations.uploads.upload import FileUpload, upload
from tests.activation.conftest import private_targets
from tests.support.listening import accepted

__all__ = ["private_targets"]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ODD = {
    "body that breaks off": HEAD + b'Content-Length: 1000\r\n\r\n{"segment_id": 1',
    "chunks that break off": HEAD + b'Transfer-Encoding: chunked\r\n\r\n400\r\n{"segment_id": 1',
    "a length of a chunk that is none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
    "a gzip stream that is none": HEAD + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
    "a status that is none": b"HTTP/1.1 banana\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "headers without end": HEAD + b"X-A: b\r\n" * 1000,
    "a header line without end": HEAD + b"X-A: " + b"b" * 200_000,
    "two lengths that differ": HEAD + b"Content-Length: 2\r\nContent-Length: 9\r\n\r\nok",
}


class OneAnswer:
    """Sends every connection the same bytes, then hangs up; `requests` counts what came in."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None = None) -> None:
        self.requests = 0
        self._answer, self._context = answer, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        for connection in accepted(self._listener):
            try:
                with self._guarded(connection) as one:
                    if one.recv(65_536):
                        self.requests += 1
                    one.sendall(self._answer)
            except OSError:
                continue

    def _guarded(self, connection: socket.socket) -> socket.socket:
        return connection if self._context is None else self._context.wrap_socket(connection, server_side=True)


@pytest.fixture
def answering(private_targets: Any) -> Iterator[Callable[..., OneAnswer]]:
    peers: list[OneAnswer] = []

    def begin(answer: bytes, context: ssl.SSLContext | None = None) -> OneAnswer:
        peers.append(OneAnswer(answer, context))
        return peers[-1]

    yield begin
    for peer in peers:
        peer.close()


@pytest.mark.parametrize("answer", ODD.values(), ids=ODD.keys())
def test_answer__that_no_document_describes__may_have_been_applied_and_is_no_success(
    answering: Callable[..., OneAnswer], answer: bytes
) -> None:
    peer = answering(answer)
    with pytest.raises(UnansweredError):
        http.send(Request("POST", f"http://127.0.0.1:{peer.port}/", body=b"{}"), 5)
    assert peer.requests == 1


def test_certificate_of_somebody_else__gets_no_request(answering: Callable[..., OneAnswer], tmp_path: Path) -> None:
    peer = answering(HEAD + b"Content-Length: 2\r\n\r\nok", _self_signed(tmp_path))
    with pytest.raises(RetriableError, match="could not be reached") as raised:
        http.send(Request("POST", f"https://localhost:{peer.port}/", body=b"the secret"), 5)
    assert not isinstance(raised.value, UnansweredError)
    assert peer.requests == 0


def test_name_that_nobody_knows__was_not_applied(private_targets: Any) -> None:
    with pytest.raises(RetriableError, match="has no address") as raised:
        http.send(Request("POST", "http://platform.invalid/", body=b"{}"), 5)
    assert not isinstance(raised.value, UnansweredError)


class Store(BaseHTTPRequestHandler):
    """A store that takes the first part of an upload in parts, and fails at the next."""

    calls: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self._note("begin" if self.path.endswith("?uploads") else "complete")
        self._reply(200, b"<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")

    def do_PUT(self) -> None:
        self._note("part")
        self._reply(200 if self.calls.count("part") == 1 else 500, b"")

    def do_DELETE(self) -> None:
        self._note("abort")
        self._reply(204, b"")

    def do_HEAD(self) -> None:
        self._reply(404, b"")

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _note(self, what: str) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.calls.append(what)

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("ETag", '"e1"')
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def test_upload_in_parts__that_fails_at_a_part__is_given_up_as_a_whole_and_tried_again_later(
    private_targets: Any, tmp_path: Path
) -> None:
    file = tmp_path / "large.gz"
    file.write_bytes(bytes(20 << 20))
    Store.calls.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        to = S3Destination(f"http://127.0.0.1:{server.server_port}", "bucket", "", "key", "secret", "")
        with pytest.raises(RetriableError, match="the store answers 500"):
            upload(to, FileUpload(file, "large.gz", "", lambda: None, 10, FileOwner(1, 7)), None)
        server.shutdown()

    assert Store.calls[0] == "begin"
    assert "abort" in Store.calls
    assert "complete" not in Store.calls


def _self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    at = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(at - timedelta(days=1))
        .not_valid_after(at + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "both.pem").write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context
