"""The edge as an ASGI application: it routes requests to handlers, and turns every error into a response."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from core.errors import InputError, InvalidParameterError, UnavailableError
from edge import responses
from edge.body import DisconnectedError, Receive
from edge.group_commit import InboxAppender, RowRefusedError
from edge.monitoring import Metrics
from edge.refusals import RequestRefusedError, response_to
from edge.request import EdgeRequest
from edge.responses import EdgeResponse
from edge.snapshot import Snapshot

logger = logging.getLogger(__name__)

Handler = Callable[[EdgeRequest], Awaitable[EdgeResponse]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class EdgeApplication:
    """Starts and stops the inbox and the snapshot with the server that it runs in.

    A route that ends with a slash serves every path inside it: `/c/` serves `/c/anything`.

    The server ends the lifespan only when no request is under way.
    """

    def __init__(
        self, routes: Mapping[str, Handler], inbox: InboxAppender, snapshot: Snapshot, metrics: Metrics
    ) -> None:
        self._routes = routes
        self._inbox = inbox
        self._snapshot = snapshot
        self._metrics = metrics

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._lifespan(receive, send)
            return
        path = scope["path"]
        handler = self._routes.get(path)
        if handler is None:
            path = path[: path.rfind("/") + 1]
            handler = self._routes.get(path)
        try:
            response = responses.NOT_FOUND if handler is None else await _response(handler, scope, receive)
            self._metrics.answered[path if handler else "other", response.name] += 1
            await send(response.start)
            await send(response.body)
        except DisconnectedError:
            self._metrics.answered[path, "disconnected"] += 1

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self._inbox.start()
        await self._snapshot.start()
        flushing = asyncio.create_task(self._flush())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        flushing.cancel()
        await self._inbox.close()
        await self._snapshot.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._metrics.flush()


async def _response(handler: Handler, scope: dict[str, Any], receive: Receive) -> EdgeResponse:
    try:
        return await _handled(handler, EdgeRequest(scope, receive))
    except DisconnectedError:
        raise
    except Exception:
        logger.exception("%s failed", scope["path"])
        return responses.FAILED


async def _handled(handler: Handler, request: EdgeRequest) -> EdgeResponse:
    try:
        return await handler(request)
    except RequestRefusedError as refusal:
        return refusal.response
    except UnavailableError:
        return responses.UNAVAILABLE
    except InputError as error:
        return response_to(error)
    except RowRefusedError:
        return response_to(InvalidParameterError("data"))
