"""Logs hold no personal ids: addresses of requests are logged as the pattern that they match, user ids not at all."""

import logging

from core.patterns import linear

LONGEST = 100_000  # characters of a record
USER_ID = linear(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", LONGEST)
LEFT_OUT = "…"


class WithoutPersonalIds(logging.Filter):
    """Takes ids out of a record before anything writes it. Lets every record pass.

    Django logs the address of a request that it refuses ("Not Found: /api/v1/users/…"). It stands beside the record as
    `request`, which knows the pattern.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        path = getattr(getattr(record, "request", None), "path", None)
        message = record.getMessage()
        if path:
            message = message.replace(path, _pattern(record))
        message = _without_ids(message)
        if message != record.getMessage():
            record.msg, record.args = message, None
        return True


class Formatter(logging.Formatter):
    """Leaves user ids out of tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return _without_ids(super().format(record))


def _without_ids(text: str) -> str:
    return USER_ID.sub(LEFT_OUT, text if len(text) <= LONGEST else text[: LONGEST - 1] + LEFT_OUT)


def _pattern(record: logging.LogRecord) -> str:
    match = getattr(getattr(record, "request", None), "resolver_match", None)
    return LEFT_OUT if match is None else f"/{match.route}"
