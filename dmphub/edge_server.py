"""`python -m dmphub.edge_server --port P`: one edge process; several may share the port.

What is supervised is what answers. It listens with SO_REUSEPORT: the kernel spreads connections over all processes of
the port.
"""

import argparse
import asyncio
import logging
import os
import resource
import signal

import uvloop

from core import environment, garbage
from core.logs import Formatter
from dmphub.asgi import make_edge
from edge.application import EdgeApplication
from edge.http_server import HttpServer
from edge.open_connections import ConnectionPlaces

BACKLOG = 1024
STOP_SECONDS = 2.8
"""From SIGTERM to the end, whatever the clients do."""
_OWN_FILES = 100
"""Files and connections of the process itself, beside those of its clients."""


def main() -> None:
    arguments = _arguments()
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # every connection is one
    logging.basicConfig(level=logging.INFO)
    for handler in logging.root.handlers:
        handler.setFormatter(Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    found = environment.read()
    room = found.edge_connections if most_files == resource.RLIM_INFINITY else max(1, most_files - _OWN_FILES)
    places = ConnectionPlaces(min(found.edge_connections, room), found.edge_connections_per_address)
    uvloop.run(_serve(arguments.host, arguments.port, make_edge(found), places))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve the edge.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    return parser.parse_args()


async def _serve(host: str, port: int, application: EdgeApplication, places: ConnectionPlaces) -> None:
    server = HttpServer(application, places)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.call_later(STOP_SECONDS, os._exit, 0)
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    garbage.collect_rarely()
    await application.start()
    await server.start(host, port, BACKLOG)
    await stopped.wait()
    await server.stop()
    await application.close()


if __name__ == "__main__":
    main()
