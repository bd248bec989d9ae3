"""Serving the sandbox: one granian worker on uvloop in this process."""

import asyncio
import contextlib
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from sandbox.app import Sandbox

if TYPE_CHECKING:
    from sandbox.sftp import SftpDoor

STOP_WITHIN = 1.0
PROBE_EVERY = 0.02
PROBES = 500


def serve(port: int = 8090, host: str = "127.0.0.1", sftp_port: int | None = None) -> None:
    """Serves until SIGTERM or SIGINT; prints `ready sandbox=<url>` once it answers. Port 0 picks a free one.

    With `sftp_port` by SFTP too, and the line goes on ` sftp=<host>:<port>`. To be called from the main thread.
    Raises OSError when a port is taken.
    """
    uvloop.run(_serve(host, _available(host, port), sftp_port))


def _available(host: str, port: int) -> int:
    """The port, or a free one for 0.

    Granian listens with SO_REUSEPORT, so two sandboxes would share a port unseen: taken means OSError here.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        return int(probe.getsockname()[1])


async def _serve(host: str, port: int, sftp_port: int | None) -> None:
    sandbox = Sandbox()
    door = None if sftp_port is None else _sftp_door(sandbox, host, sftp_port)
    sandbox.controls.sftp = None if door is None else door.told
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
    server.stop()  # type: ignore[no-untyped-call] # granian leaves it unannotated
    await asyncio.wait({serving}, timeout=STOP_WITHIN)
    for task in (stopping, serving):
        if task.done():
            task.result()


def _sftp_door(sandbox: Sandbox, host: str, port: int) -> "SftpDoor":
    """Raises ModuleNotFoundError where paramiko, which is optional, is not installed."""
    from sandbox.sftp import SftpDoor

    return SftpDoor(sandbox.intake(asyncio.get_running_loop()), host, port)


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
