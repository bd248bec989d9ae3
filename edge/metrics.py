"""Counts of what was answered, for Prometheus.

Requests count in plain dictionaries (a counter's lock costs more than the rest of an answer); a scrape, and
a tick every second, hand the sums over.
"""

import hmac
import os
from collections import Counter as Tally

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from edge import answers
from edge.answers import Answer
from edge.request import Request

_ANSWERED = Counter("dmphub_edge_answers", "Answers of the edge", ["route", "status"])


class Metrics:
    """`token`: whoever shows it as a bearer token may read; empty: nobody."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode() if token else b""
        self.answered: Tally[tuple[str, str]] = Tally()

    def flush(self) -> None:
        """Hand over what was counted since the last time."""
        counted, self.answered = self.answered, Tally()
        for (route, status), count in counted.items():
            _ANSWERED.labels(route, status).inc(count)

    async def show(self, request: Request) -> Answer:
        """`/metrics`: of all edge processes where PROMETHEUS_MULTIPROC_DIR is set, else of this one."""
        if request.method != "GET":
            raise answers.bad_method("GET")
        if not self._expected or not hmac.compare_digest(request.authorization, self._expected):
            return answers.NOT_FOUND
        self.flush()
        return Answer(200, "ok", CONTENT_TYPE_LATEST.encode(), generate_latest(_registry()))


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # the library leaves it unannotated
    return registry
