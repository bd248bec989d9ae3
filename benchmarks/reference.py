"""The limit that the edge is compared with: a server that answers 43 bytes and does nothing else."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.programs import Door, answers, edges, free_port, running, wait_until
from benchmarks.tools import find
from benchmarks.usage import children

PATH = "/empty.gif"

CONFIGURATION = """
daemon off;
worker_processes auto;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location = /empty.gif {{ empty_gif; }}
    }}
}}
"""


@contextmanager
def empty_gif() -> Iterator[tuple[str, Door]]:
    """What serves it ("nginx", or "plain edge" where there is no nginx), and where."""
    nginx = find("nginx")
    if nginx is None:
        with edges("benchmarks.plain_edge", 1, PATH) as door:
            yield "plain edge", door
        return
    folder = Path(os.environ["DMPHUB_HOME"]) / "nginx"
    folder.mkdir(exist_ok=True)
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port), encoding="utf-8")
    with running([nginx, "-p", str(folder), "-c", str(configuration)]) as process:
        wait_until("nginx", lambda: answers(port, PATH))
        yield "nginx", Door(port, [process.pid, *children([process.pid])])
