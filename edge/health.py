"""Whether this process is alive, and whether it can take requests."""

from edge import answers
from edge.answers import Answer
from edge.group_commit import Inbox
from edge.request import Request
from edge.snapshot import Snapshot

_ALIVE = answers.plain(200, "ok", "ok")
_READY = answers.plain(200, "ready", "ready")


async def healthz(request: Request) -> Answer:
    _only_get(request)
    return _ALIVE


class Readiness:
    """Ready: the configuration is loaded and the database was reached lately."""

    def __init__(self, inbox: Inbox, snapshot: Snapshot) -> None:
        self._inbox = inbox
        self._snapshot = snapshot

    async def readyz(self, request: Request) -> Answer:
        _only_get(request)
        return _READY if self._inbox.reachable and self._snapshot.fresh else answers.UNAVAILABLE


def _only_get(request: Request) -> None:
    if request.method not in {"GET", "HEAD"}:
        raise answers.bad_method("GET", "HEAD")
