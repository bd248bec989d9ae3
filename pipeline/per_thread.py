"""What each thread of a stage opens once and keeps, such as a connection to the database."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar


class Closeable(Protocol):
    """Something that was opened."""

    @property
    def closed(self) -> bool: ...

    def close(self) -> None: ...


Kept = TypeVar("Kept", bound=Closeable)


class PerThread(Generic[Kept]):
    """One object for each thread: opened on first use, kept, and replaced once it is closed or broken."""

    def __init__(self, open_one: Callable[[], Kept]) -> None:
        self._open_one = open_one
        self._local = threading.local()

    def get(self) -> Kept:
        """Returns this thread's object. Raises what opening it raises."""
        found: Kept | None = getattr(self._local, "kept", None)
        if found is None or found.closed:
            found = self._local.kept = self._open_one()
        return found

    def drop(self) -> None:
        """Close this thread's object; the next `get` opens another."""
        found: Kept | None = getattr(self._local, "kept", None)
        if found is not None:
            self._local.kept = None
            found.close()

    @contextmanager
    def dropped_on_error(self) -> Iterator[Kept]:
        """Give the block this thread's object; drop it where the block fails, for it may be broken."""
        try:
            yield self.get()
        except Exception:
            self.drop()
            raise
