"""Looking at a hub again and again while a benchmark runs, from a thread beside it."""

import threading
from abc import ABC, abstractmethod
from typing import Self


class Sampler(ABC):
    """While entered, `_run` runs in a thread of its own, until `_over` is set."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @abstractmethod
    def _run(self) -> None:
        """Sample until `_over` is set, and wait for it in between."""
