import asyncio
from functools import partial

import pytest

from local.demo.errors import NotAcceptedError
from local.demo.latency import LatencyTracker
from local.demo.players import PlayClock, PlayProgress, play
from local.demo.script import Step, StepKind, request_bytes


def test_play__a_refused_request__ends_it_and_names_the_answer() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad Request\r\nx-dmp-status: bad-m\r\ncontent-length: 0\r\n\r\n")

    async def run() -> None:
        steps = [Step(StepKind.PURCHASE, str(number), partial(request_bytes, "GET", "/dp"), 0) for number in range(9)]
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            await play(steps, port, PlayClock(1000), LatencyTracker({}), PlayProgress(len(steps)))

    with pytest.raises(NotAcceptedError, match="400 bad-m"):
        asyncio.run(run())
