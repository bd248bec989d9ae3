"""What operators ask of an edge process: whether it is alive and ready, and what it has answered (for Prometheus).

Responses are counted in plain dictionaries, because a counter's lock costs more than the rest of a response; a scrape,
and a tick every second, hand the sums over.
"""

import hmac
import os
from collections import Counter as Tally
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from edge import responses
from edge.group_commit import InboxAppender
from edge.request import EdgeRequest
from edge.responses import EdgeResponse
from edge.snapshot import Snapshot

_ALIVE = responses.plain(200, "ok", "ok")
_READY = responses.plain(200, "ready", "ready")
_ANSWERED = Counter("dmphub_edge_answers", "Answers of the edge", ["route", "status"])


async def healthz(request: EdgeRequest) -> EdgeResponse:
    """`/healthz`: the process is alive."""
    request.require_method(("GET",))
    return _ALIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadinessEndpoint:
    inbox: InboxAppender
    snapshot: Snapshot

    async def handle(self, request: EdgeRequest) -> EdgeResponse:
        """`/readyz`: the configuration is loaded and the database was reached lately."""
        request.require_method(("GET",))
        return _READY if self.inbox.reachable and self.snapshot.fresh else responses.UNAVAILABLE


class Metrics:
    """Counts responses by route and named status.

    `token`: whoever shows it as a bearer token may read the counts; if it is empty, nobody may.
    """

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode() if token else b""
        self.answered: Tally[tuple[str, str]] = Tally()

    def flush(self) -> None:
        """Hand over what was counted since the last time."""
        counted, self.answered = self.answered, Tally()
        for (route, status), count in counted.items():
            _ANSWERED.labels(route, status).inc(count)

    async def handle(self, request: EdgeRequest) -> EdgeResponse:
        """`/metrics`: of all edge processes if PROMETHEUS_MULTIPROC_DIR is set, else of this one."""
        request.require_method(("GET",))
        if not self._expected or not hmac.compare_digest(request.authorization, self._expected):
            return responses.NOT_FOUND
        self.flush()
        return EdgeResponse(200, "ok", CONTENT_TYPE_LATEST.encode(), generate_latest(_registry()))


def _registry() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library leaves it unannotated
    return registry
