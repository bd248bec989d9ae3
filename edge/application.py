"""The edge as an ASGI application: routes to handlers, answers to messages."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from core.errors import InputError, InvalidParameterError
from edge import answers
from edge.answers import Answer, RequestRefusedError
from edge.body import DisconnectedError, Receive
from edge.group_commit import Inbox, RowRefusedError, UnavailableError
from edge.metrics import Metrics
from edge.refusals import answer_to
from edge.request import Request
from edge.snapshot import Snapshot

logger = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Answer]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Edge:
    """Starts and stops the inbox and the snapshot with the server that it runs in.

    A route that ends with a slash serves what lies in it: `/c/` answers for `/c/anything`.

    The server ends the lifespan only when no request is under way.
    """

    def __init__(self, routes: Mapping[str, Handler], inbox: Inbox, snapshot: Snapshot, metrics: Metrics) -> None:
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
            answer = answers.NOT_FOUND if handler is None else await _answer(handler, scope, receive)
            self._metrics.answered[path if handler else "other", answer.name] += 1
            await send(answer.start)
            await send(answer.body)
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


async def _answer(handler: Handler, scope: dict[str, Any], receive: Receive) -> Answer:
    try:
        return await handler(Request(scope, receive))
    except RequestRefusedError as refusal:
        return refusal.answer
    except UnavailableError:
        return answers.UNAVAILABLE
    except InputError as error:
        return answer_to(error)
    except RowRefusedError:
        return answer_to(InvalidParameterError("data"))
    except DisconnectedError:
        raise
    except Exception:
        logger.exception("%s failed", scope["path"])
        return answers.FAILED
