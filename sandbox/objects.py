"""A store as S3's, as far as a sender of files needs it: `/s3/<bucket>/<key>`, PUT, GET, HEAD and DELETE.

Every bucket exists, one set of them for each access key. Uploads in parts are not known: a file has to fit
in one request.
"""

import hashlib
from collections.abc import Callable
from email.utils import formatdate
from urllib.parse import unquote

from sandbox.exchange import Answer, Headers, Request
from sandbox.files import Folder
from sandbox.parties import Action
from sandbox.sigv4 import S3RefusedError

PREFIX = "/s3/"
BINARY = (b"content-type", b"application/octet-stream")

Take = Callable[[str, bytes], Action]
"""Path in the account's folder and content: what the finished file does."""


def prepare_object(folder: Folder, take: Take, request: Request) -> Action:
    """The checked request; S3Refused where it is none the store knows. The caller has checked the signature."""
    bucket, _, key = unquote(request.path.removeprefix(PREFIX)).partition("/")
    if not bucket:
        raise S3RefusedError(405, "MethodNotAllowed", "name a bucket")
    if not key:
        return _bucket(request)
    path = f"/{bucket}/{key}"
    if request.method == "PUT":
        return _put(folder, take, path, _content(request))
    if request.method == "DELETE":
        return Action(lambda _: False, lambda: _delete(folder, path))
    if request.method in {"GET", "HEAD"}:
        return Action(lambda _: False, lambda: _get(folder, path, whole=request.method == "GET"))
    raise S3RefusedError(405, "MethodNotAllowed", "PUT, GET, HEAD or DELETE")


def _bucket(request: Request) -> Action:
    if request.method != "HEAD":
        raise S3RefusedError(501, "NotImplemented", "of a bucket only HEAD is known")
    return Action(lambda _: False, lambda: Answer(200))


def _content(request: Request) -> bytes:
    if request.query and request.query != "x-id=PutObject":
        raise S3RefusedError(501, "NotImplemented", "only whole objects are taken")
    if "x-amz-copy-source" in request.headers:
        raise S3RefusedError(501, "NotImplemented", "nothing is copied")
    if request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
        return _unchunked(request.body)
    return request.body


def _unchunked(body: bytes) -> bytes:
    """The content of an `aws-chunked` body: `<hex size>[;…]\\r\\n<bytes>\\r\\n…0\\r\\n<trailers>`."""
    parts: list[bytes] = []
    while True:
        head, _, rest = body.partition(b"\r\n")
        try:
            size = int(head.partition(b";")[0], 16)
        except ValueError as error:
            raise S3RefusedError(400, "IncompleteBody", "the body is not chunked as it says") from error
        if size == 0:
            return b"".join(parts)
        if len(rest) < size + 2:
            raise S3RefusedError(400, "IncompleteBody", "a chunk is shorter than it says")
        parts.append(rest[:size])
        body = rest[size + 2 :]


def _put(folder: Folder, take: Take, path: str, content: bytes) -> Action:
    taking = take(path, content)

    def apply() -> Answer:
        with folder.lock:
            folder.files[path] = bytearray(content)
        taking.apply()
        return Answer(200, headers=(_etag(content),))

    return Action(taking.concerns, apply)


def _delete(folder: Folder, path: str) -> Answer:
    with folder.lock:
        folder.files.pop(path, None)
    return Answer(204)


def _get(folder: Folder, path: str, *, whole: bool) -> Answer:
    with folder.lock:
        found = folder.files.get(path)
        content = None if found is None else bytes(found)
    if content is None:
        raise S3RefusedError(404, "NoSuchKey", "no such object")
    length = (b"content-length", str(len(content)).encode())
    headers: Headers = (length, _etag(content), BINARY, (b"last-modified", formatdate(usegmt=True).encode()))
    return Answer(200, content if whole else b"", headers)


def _etag(content: bytes) -> tuple[bytes, bytes]:
    return b"etag", f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'.encode()
