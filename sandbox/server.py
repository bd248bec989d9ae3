"""Serving the sandbox: one granian worker on uvloop in this process."""

import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from sandbox.app import Parties, Sandbox

if TYPE_CHECKING:
    from sandbox.sftp import SftpDoor

STOP_WITHIN = 1.0
PROBE_EVERY = 0.02
PROBES = 500


def serve(
    port: int = 8090, host: str = "127.0.0.1", sftp_port: int | None = None, parties: Parties | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. Print `ready sandbox=<url>` when the sandbox responds. Port 0 picks a free one.

    With `sftp_port` it serves SFTP too, and the line continues with ` sftp=<host>:<port>`. `parties` replaces the usual
    third parties. Call it from the main thread. Raises OSError if a port is taken.
    """
    uvloop.run(_serve(Sandbox(parties), host, _available(host, port), sftp_port))


def _available(host: str, port: int) -> int:
    """Return the port, or a free one for 0. Raises OSError if the port is taken.

    Granian listens with SO_REUSEPORT, so without this check two sandboxes could share a port unnoticed.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


async def _serve(sandbox: Sandbox, host: str, port: int, sftp_port: int | None) -> None:
    door = None if sftp_port is None else _sftp_door(sandbox, host, sftp_port)
    sandbox.controls.sftp = None if door is None else door.description
    server = Server(
        sandbox,
        address=host,
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    stopping = asyncio.create_task(_until(stopped, host, port, door))
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    sandbox.stop()
    if door:
        door.close()
    stop: Callable[[], None] = server.stop  # granian does not annotate this method
    stop()
    await asyncio.wait({serving}, timeout=STOP_WITHIN)
    for task in (stopping, serving):
        if task.done():
            task.result()


def _sftp_door(sandbox: Sandbox, host: str, port: int) -> "SftpDoor":
    """Raises ModuleNotFoundError where paramiko, which is optional, is not installed."""
    from sandbox.sftp import SftpDoor

    return SftpDoor(sandbox.intake(asyncio.get_running_loop()), sandbox.controls.habits, host, port)


async def _until(stopped: asyncio.Event, host: str, port: int, door: "SftpDoor | None") -> None:
    await _announce(host, port, "" if door is None else f" sftp={_shown(host)}:{door.address[1]}")
    await stopped.wait()


async def _announce(host: str, port: int, more: str) -> None:
    for _ in range(PROBES):
        if await _answers(host, port):
            sys.stdout.write(f"ready sandbox=http://{_shown(host)}:{port}{more}\n")
            sys.stdout.flush()
            return
        await asyncio.sleep(PROBE_EVERY)
    raise TimeoutError(f"no answer from {host}:{port}")


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _answers(host: str, port: int) -> bool:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    with contextlib.closing(writer):
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: sandbox\r\nconnection: close\r\n\r\n")
        return (await reader.readline()).startswith(b"HTTP/1.1 200")
