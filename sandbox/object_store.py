"""A store like S3, as far as a sender of files needs it: `/s3/<bucket>/<key>`, PUT, GET, HEAD and DELETE, and a list.

Every bucket exists, once for each access key. There are no uploads in parts: a file has to fit in one request.
"""

import hashlib
from collections.abc import Callable
from email.utils import formatdate
from html import escape
from urllib.parse import parse_qs, unquote

from sandbox.exchange import Headers, SandboxRequest, SandboxResponse
from sandbox.files import Folder
from sandbox.parties import Action
from sandbox.sigv4 import S3RejectedError

PREFIX = "/s3/"
BINARY = (b"content-type", b"application/octet-stream")

Take = Callable[[str, bytes], Action]
"""From the path in the account's folder and the content: what the finished file does."""


def prepare_object(folder: Folder, take: Take, request: SandboxRequest) -> Action:
    """Check a request whose signature is already checked. Raises `S3RejectedError` if the store does not know it."""
    bucket, _, key = unquote(request.path.removeprefix(PREFIX)).partition("/")
    if not bucket:
        raise S3RejectedError(405, "MethodNotAllowed", "name a bucket")
    if not key:
        return _bucket(folder, bucket, request)
    path = f"/{bucket}/{key}"
    if request.method == "PUT":
        return _put(folder, take, path, _content(request))
    if request.method == "DELETE":
        return Action.without_users(lambda: _delete(folder, path))
    if request.method in {"GET", "HEAD"}:
        return Action.without_users(lambda: _get(folder, path, whole=request.method == "GET"))
    raise S3RejectedError(405, "MethodNotAllowed", "PUT, GET, HEAD or DELETE")


def _bucket(folder: Folder, bucket: str, request: SandboxRequest) -> Action:
    if request.method == "GET":
        asked = {name: values[-1] for name, values in parse_qs(request.query, keep_blank_values=True).items()}
        return Action.without_users(
            lambda: _listing(folder, bucket, asked.get("prefix", ""), asked.get("delimiter", ""))
        )
    if request.method != "HEAD":
        raise S3RejectedError(501, "NotImplemented", "of a bucket only HEAD, and GET for a list, are known")
    return Action.without_users(lambda: SandboxResponse(200))


def _listing(folder: Folder, bucket: str, prefix: str, delimiter: str) -> SandboxResponse:
    """The objects below the prefix, all in one answer; with a delimiter those that are not deeper."""
    with folder.lock:
        held = {path.removeprefix(f"/{bucket}/"): content for path, content in folder.files.items()}
    found = sorted(
        name for name in held if name.startswith(prefix) and not (delimiter and delimiter in name.removeprefix(prefix))
    )
    contents = "".join(
        f"<Contents><Key>{escape(name)}</Key><LastModified>2026-03-01T12:00:00Z</LastModified>"
        f"<ETag>{hashlib.md5(held[name], usedforsecurity=False).hexdigest()}</ETag><Size>{len(held[name])}</Size>"
        "</Contents>"
        for name in found
    )
    said = f"<Name>{escape(bucket)}</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>false</IsTruncated>"
    text = f'<?xml version="1.0"?><ListBucketResult>{said}{contents}</ListBucketResult>'
    return SandboxResponse(200, text.encode(), headers=((b"content-type", b"application/xml"),))


def _content(request: SandboxRequest) -> bytes:
    if request.query and request.query != "x-id=PutObject":
        raise S3RejectedError(501, "NotImplemented", "only whole objects are taken")
    if "x-amz-copy-source" in request.headers:
        raise S3RejectedError(501, "NotImplemented", "nothing is copied")
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
            raise S3RejectedError(400, "IncompleteBody", "the body is not chunked as it says") from error
        if size == 0:
            return b"".join(parts)
        if len(rest) < size + 2:
            raise S3RejectedError(400, "IncompleteBody", "a chunk is shorter than it says")
        parts.append(rest[:size])
        body = rest[size + 2 :]


def _put(folder: Folder, take: Take, path: str, content: bytes) -> Action:
    taking = take(path, content)

    def apply() -> SandboxResponse:
        with folder.lock:
            folder.files[path] = bytearray(content)
        taking.apply()
        return SandboxResponse(200, headers=(_etag(content),))

    return Action(taking.concerns, apply)


def _delete(folder: Folder, path: str) -> SandboxResponse:
    with folder.lock:
        folder.files.pop(path, None)
    return SandboxResponse(204)


def _get(folder: Folder, path: str, *, whole: bool) -> SandboxResponse:
    with folder.lock:
        found = folder.files.get(path)
        content = None if found is None else bytes(found)
    if content is None:
        raise S3RejectedError(404, "NoSuchKey", "no such object")
    length = (b"content-length", str(len(content)).encode())
    headers: Headers = (length, _etag(content), BINARY, (b"last-modified", formatdate(usegmt=True).encode()))
    return SandboxResponse(200, content if whole else b"", headers)


def _etag(content: bytes) -> tuple[bytes, bytes]:
    return b"etag", f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'.encode()
