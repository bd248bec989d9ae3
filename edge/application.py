"""The edge as an application: it routes requests to handlers, and turns every error into a response.

`edge.http_server` serves it; as an ASGI application it runs under any other server too, at a higher cost.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

from core.errors import InputError, InvalidParameterError, UnavailableError
from edge import responses
from edge.body import DisconnectedError, Receive
from edge.cross_origin import CrossOrigin
from edge.group_commit import InboxAppender, RowRefusedError
from edge.monitoring import Metrics
from edge.refusals import RequestRefusedError, response_to
from edge.request import EdgeRequest
from edge.request_head import RequestHead
from edge.responses import EdgeResponse
from edge.snapshot import Snapshot

logger = logging.getLogger(__name__)

Handler = Callable[[EdgeRequest], Awaitable[EdgeResponse]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_ASKING = frozenset({"HEAD", "OPTIONS"})


class EdgeApplication:
    """Starts and stops the inbox and the snapshot with the server that it runs in.

    A route that ends with a slash serves every path inside it: `/c/` serves `/c/anything`. `unkept`: the same routes,
    whose handlers keep nothing. They answer HEAD.
    """

    def __init__(
        self,
        routes: Mapping[str, Handler],
        unkept: Mapping[str, Handler],
        inbox: InboxAppender,
        snapshot: Snapshot,
        metrics: Metrics,
    ) -> None:
        self._routes = routes
        self._unkept = unkept
        self._cross_origin = CrossOrigin(snapshot)
        self._inbox = inbox
        self._snapshot = snapshot
        self._metrics = metrics
        self._flushing: asyncio.Task[None]

    @property
    def routes(self) -> frozenset[str]:
        """The paths that have a handler."""
        return frozenset(self._routes)

    async def start(self) -> None:
        """Before the first request. Connects in the background: until then requests get 503."""
        await self._inbox.start()
        await self._snapshot.start()
        self._flushing = asyncio.create_task(self._flush())

    async def close(self) -> None:
        """After the last response."""
        self._flushing.cancel()
        await self._inbox.close()
        await self._snapshot.close()

    def respond(self, request: EdgeRequest) -> Coroutine[Any, Any, EdgeResponse | None]:
        """Handle one request; returns None if its sender has gone. Never raises."""
        if request.method in _ASKING or request.origin is not None:
            return self._respond_apart(request)
        return self._respond(request, self._routes)

    async def _respond_apart(self, request: EdgeRequest) -> EdgeResponse | None:
        """Handle what browsers and other programs ask beside their requests, and what the script of a page sends."""
        if request.method == "OPTIONS" and (answer := self._preflight(request)):
            return answer
        if request.method == "HEAD":
            request.method = "GET"
            response = await self._respond(request, self._unkept, "head")
            return response and self._cross_origin.readable(request, response.changed(without=b"set-cookie"))
        response = await self._respond(request, self._routes)
        return response and self._cross_origin.readable(request, response)

    def _preflight(self, request: EdgeRequest) -> EdgeResponse | None:
        try:
            response = self._cross_origin.preflight(request)
        except Exception as error:
            response = _response_to(error, request.path)
        if response is not None:
            self._metrics.answered[request.path, response.name] += 1
        return response

    async def _respond(
        self, request: EdgeRequest, routes: Mapping[str, Handler], counted_as: str = ""
    ) -> EdgeResponse | None:
        path = request.path
        handler = routes.get(path)
        if handler is None:
            path = path[: path.rfind("/") + 1]
            handler = routes.get(path)
        try:
            response = responses.NOT_FOUND if handler is None else await handler(request)
        except DisconnectedError:
            self._metrics.answered[path, "disconnected"] += 1
            return None
        except Exception as error:
            response = _response_to(error, path)
        self._metrics.answered[path if handler else "other", counted_as or response.name] += 1
        return response

    def refuse(self, status: int) -> EdgeResponse:
        """Count what is no request, and return the response to it."""
        response = responses.NO_REQUEST[status]
        self._metrics.answered["other", response.name] += 1
        return response

    def count_dropped(self, connections: int) -> None:
        """Count connections that had to give way to others."""
        self._metrics.answered["other", "dropped"] += connections

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """The same for any ASGI server. It must end the lifespan only when no request is under way."""
        if scope["type"] != "http":
            await self._lifespan(receive, send)
            return
        response = await self.respond(
            EdgeRequest(RequestHead.of_asgi(scope), receive, peer=(scope.get("client") or ("",))[0])
        )
        if response is not None:
            for message in response.messages:
                await send(message)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _flush(self) -> None:
        while True:
            await asyncio.sleep(1)
            self._metrics.flush()


def _response_to(error: Exception, path: str) -> EdgeResponse:
    if isinstance(error, RequestRefusedError):
        return error.response
    if isinstance(error, UnavailableError):
        return responses.UNAVAILABLE
    if isinstance(error, RowRefusedError):
        return response_to(InvalidParameterError("data"))
    try:
        if isinstance(error, InputError):
            return response_to(error)
    except KeyError:  # an error without a status
        pass
    logger.error("%s failed", path, exc_info=error)
    return responses.FAILED
