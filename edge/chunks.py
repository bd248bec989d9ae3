"""Bodies whose length is not announced: read chunk by chunk, as they arrive."""

from core.patterns import whole
from edge.request_head import BadRequestError

_SIZE = whole(rb"([0-9A-Fa-f]{1,8}+)[ \t]*+((?:;[^\0\r\n]*+)?+)")
_TRAILER = whole(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[^\0\r\n]*+")
_MOST_LINE_BYTES = 4096
_MOST_EXTRA_BYTES = 16 * 1024  # in extensions and trailers, which nobody reads


class ChunkReader:
    """Fed with what arrives; `rest`: what came after the body, None before its end. Trailers are dropped."""

    def __init__(self) -> None:
        self.rest: bytes | None = None
        self._buffer = bytearray()
        self._left = 0  # of the chunk
        self._after_chunk = False
        self._in_trailers = False
        self._extra_bytes = 0

    def feed(self, data: bytes) -> bytes:
        """Returns the content in what has arrived. Raises BadRequestError."""
        self._buffer += data
        content = bytearray()
        while self.rest is None and self._step(content):
            pass
        return bytes(content)

    def _step(self, content: bytearray) -> bool:
        """Read the rest of a chunk, or a line; returns False if more has to arrive."""
        buffer = self._buffer
        if self._left:
            part = buffer[: self._left]
            del buffer[: self._left]
            content += part
            self._left -= len(part)
            self._after_chunk = True
            return self._left == 0
        end = buffer.find(b"\r\n")
        if end < 0 or end > _MOST_LINE_BYTES:
            if len(buffer) > _MOST_LINE_BYTES or (self._after_chunk and len(buffer) > 1):
                raise BadRequestError
            return False
        line = bytes(buffer[:end])
        del buffer[: end + 2]
        self._read_line(line)
        return True

    def _read_line(self, line: bytes) -> None:
        if self._after_chunk:
            if line:
                raise BadRequestError
            self._after_chunk = False
        elif not self._in_trailers:
            self._begin_chunk(line)
        elif line:
            if not _TRAILER(line):
                raise BadRequestError
            self._drop(line)
        else:
            self.rest = bytes(self._buffer)

    def _begin_chunk(self, line: bytes) -> None:
        found = _SIZE(line)
        if found is None:
            raise BadRequestError
        size, extension = found.groups()
        self._left = int(size, 16)
        self._in_trailers = self._left == 0
        self._drop(extension)

    def _drop(self, extra: bytes) -> None:
        """Bound what nobody reads: a client could send it without end."""
        self._extra_bytes += len(extra)
        if self._extra_bytes > _MOST_EXTRA_BYTES:
            raise BadRequestError
