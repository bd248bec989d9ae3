"""A WSGI application under an RSGI server (granian), so that slow clients hold none of its threads.

A request gets a thread once it is here as a whole, and gives it back before its response is sent. Only uploads, whose
bodies are longer than `SMALL_BODY`, are read as they arrive: they have threads of their own, and each caller a few of
them. Whatever a caller does, it has to do at a least rate: `SECONDS` and a second more for each `LEAST_RATE` bytes.

Who is no caller yet, because no key or log-in came with the request, sends little (`UNCHECKED_BODY`) in `SECONDS`. A
longer body is not read: the application is given an empty one, and says who may send it.
"""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol, TypeVar, cast

from core.wsgi.incoming_body import CutOffError, IncomingBody, NoRoomError, Pace, Room, TooLongError, TooSlowError

log = logging.getLogger(__name__)
Result = TypeVar("Result")

UNCHECKED_BODY = 16 * 1024
SMALL_BODY = 3 * 1024 * 1024
IN_MEMORY = 1024 * 1024  # of a response; the rest waits in a temporary file
PART = 64 * 1024
UPLOAD_THREADS = 8
UPLOADS_EACH = 2  # of one caller at once: further ones wait, unread
MOST_ARRIVING = 128 * 1024 * 1024  # bytes of bodies that are not here as a whole, uploads apart; of callers, of others

Headers = list[tuple[str, str]]
Environ = dict[str, Any]
WsgiApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Response = tuple[int, Headers, IO[bytes]]


class RequestScope(Protocol):
    """What an RSGI server says of a request. `path` is decoded."""

    http_version: str
    server: str
    client: str
    scheme: str
    method: str
    path: str
    query_string: str
    authority: str | None
    headers: Any


class UploadStream:
    """`wsgi.input` of an upload, read in a thread while the body arrives."""

    def __init__(self, body: IncomingBody, loop: asyncio.AbstractEventLoop) -> None:
        self._body = body
        self._loop = loop
        self._rest = b""
        self._has_ended = False

    def read(self, size: int = -1) -> bytes:
        """Returns up to `size` bytes, fewer only at the end; everything where no size is given."""
        parts, missing = [], sys.maxsize if size < 0 else size
        while missing > 0 and (part := self._next()):
            taken, self._rest = part[:missing], part[missing:]
            parts.append(taken)
            missing -= len(taken)
        return b"".join(parts)

    def readline(self, size: int = -1) -> bytes:
        line = b""
        while (size < 0 or len(line) < size) and not line.endswith(b"\n") and (part := self._next()):
            end = part.find(b"\n") + 1 or len(part)
            end = end if size < 0 else min(end, size - len(line))
            line, self._rest = line + part[:end], part[end:]
        return line

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def _next(self) -> bytes:
        part, self._rest = self._rest, b""
        if not part and not self._has_ended:
            part = asyncio.run_coroutine_threadsafe(self._body.part(), self._loop).result()
            self._has_ended = not part
        return part


class _Started:
    """`start_response`, and what it was given."""

    def __init__(self) -> None:
        self.status, self.headers = 500, Headers()

    def __call__(self, status: str, headers: Headers, exc_info: Any = None) -> None:
        self.status, self.headers = int(status.split(" ", 1)[0]), headers


class _Places:
    """What each caller uploads at once."""

    def __init__(self) -> None:
        self._taken: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def of(self, caller: str) -> AsyncIterator[None]:
        """Wait for a place of the caller."""
        place, users = self._taken.get(caller, (asyncio.Semaphore(UPLOADS_EACH), 0))
        self._taken[caller] = (place, users + 1)
        try:
            async with place:
                yield
        finally:
            _, users = self._taken.pop(caller)
            if users > 1:
                self._taken[caller] = (place, users - 1)


class BufferedWsgi:
    """`threads`: so many requests are worked on at once, uploads apart.

    `caller_of` names whom a request comes from, by its key or log-in, and reads no body; nobody: an empty text. It is
    called in a thread, before long bodies.
    """

    def __init__(self, application: WsgiApplication, threads: int, caller_of: Callable[[Environ], str]) -> None:
        self._application = application
        self._caller_of = caller_of
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self._uploading = ThreadPoolExecutor(UPLOAD_THREADS, thread_name_prefix="upload")
        self._places = _Places()
        self._unknown, self._known = Room(MOST_ARRIVING), Room(MOST_ARRIVING)

    async def __rsgi__(self, scope: RequestScope, protocol: Any) -> None:
        """Handle one request."""
        try:
            status, headers, content = await self._respond(scope, protocol)
        except TooSlowError:
            _say(protocol, 408, "the body took too long to arrive")
        except CutOffError:
            _say(protocol, 400, "the body is not complete")
        except TooLongError:
            _say(protocol, 413, "send a key, or log in, before so much")
        except NoRoomError:
            _say(protocol, 503, "too many requests are arriving: try again soon", ("retry-after", "1"))
        except Exception:
            log.exception("%s failed", scope.method)
            _say(protocol, 500, "the request could not be handled")
        else:
            with content:
                await _send(protocol, status, headers, content)

    async def _respond(self, scope: RequestScope, protocol: Any) -> Response:
        length = _length_of(scope)
        body = IncomingBody(aiter(protocol), length)
        environ = _environ_of(scope)
        if length is not None and length <= UNCHECKED_BODY:
            return await self._buffered(environ, await body.whole(self._unknown))
        caller = await self._in_thread(partial(self._caller_of, environ))
        body.earns = bool(caller)
        if not caller:
            return await self._buffered(environ, b"" if length else await body.whole(self._unknown, UNCHECKED_BODY))
        if length is not None and length <= SMALL_BODY:
            return await self._buffered(environ, await body.whole(self._known))
        loop = asyncio.get_running_loop()
        environ["wsgi.input"] = UploadStream(body, loop)
        async with self._places.of(caller):
            response = await loop.run_in_executor(self._uploading, partial(self._work, environ))
        if body.fault is not None:  # the application takes it for a fault of its own
            raise body.fault
        return response

    async def _buffered(self, environ: Environ, content: bytes) -> Response:
        environ["wsgi.input"], environ["CONTENT_LENGTH"] = BytesIO(content), str(len(content))
        return await self._in_thread(partial(self._work, environ))

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _work(self, environ: Environ) -> Response:
        """In a thread: run the application to its end."""
        started, content = _Started(), _temporary_file()
        parts = self._application(environ, started)
        try:
            for part in parts:
                content.write(part)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        return started.status, started.headers, content


def _temporary_file() -> IO[bytes]:
    return cast("IO[bytes]", SpooledTemporaryFile(IN_MEMORY))


def _length_of(scope: RequestScope) -> int | None:
    """Returns how long the body is; None: it does not say so beforehand."""
    if scope.headers.get("transfer-encoding"):
        return None
    return int(scope.headers.get("content-length") or 0)


def _environ_of(scope: RequestScope) -> dict[str, Any]:
    host, _, port = (scope.server or "").rpartition(":")
    address, _, _ = (scope.client or "").rpartition(":")
    environ = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1") or "/",
        "QUERY_STRING": scope.query_string or "",
        "REMOTE_ADDR": address.strip("[]"),
        "SERVER_NAME": host.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "wsgi.url_scheme": scope.scheme,
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        environ[key] = f"{environ[key]}{';' if key == 'HTTP_COOKIE' else ','}{value}" if key in environ else value
    if scope.authority and "HTTP_HOST" not in environ:
        environ["HTTP_HOST"] = scope.authority
    return environ


def _say(protocol: Any, status: int, text: str, *more: tuple[str, str]) -> None:
    headers = [("content-type", "text/plain; charset=utf-8"), *more]
    protocol.response_bytes(status, headers, f"{text}\n".encode())


async def _send(protocol: Any, status: int, headers: Headers, content: IO[bytes]) -> None:
    size = content.tell()
    content.seek(0)
    if size <= IN_MEMORY:
        protocol.response_bytes(status, headers, content.read())
        return
    transport = protocol.response_stream(status, headers)
    pace = Pace()
    while part := content.read(PART):
        try:
            await pace.within(transport.send_bytes(part))
        except Exception as gone:  # it reads too slowly, or no more
            log.info("a response was not read: %s", type(gone).__name__)
            return
        pace.earn(len(part))
