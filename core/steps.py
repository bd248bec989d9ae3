"""Steps of a loop that must not stop each other."""

import logging
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class Steps:
    """Runs the steps of one loop, each by itself: what one raises keeps no other from running.

    A step's error is logged once: again when it is another one, or when the step has succeeded in between.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._errors: dict[str, str] = {}

    def run(self, name: str, step: Callable[[], Result]) -> Result | None:
        """Run a step; returns what it returns, or None where it raised."""
        try:
            result = step()
        except Exception as error:
            self.note_failure(name, error)
            return None
        self._errors.pop(name, None)
        return result

    def note_failure(self, name: str, error: Exception) -> None:
        """Log the error of a step that was run elsewhere, unless it is the same as the last time."""
        text = f"{type(error).__name__}: {error}".strip()
        if self._errors.get(name) != text:
            self._errors[name] = text
            self._log.warning("%s: %s", name, text)
