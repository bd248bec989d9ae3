"""The private door as a program: console and REST API under granian, in threads that slow clients cannot hold.

    python -m dmphub.console_server --port 8000

Static files come from `<home>/static`, where `manage.py collectstatic` puts them.
"""

import argparse
import resource
import signal

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from core import environment
from core.wsgi.buffered import BufferedWsgi
from local.supervisor.child import die_with_parent

THREADS = 8
HEAD_MS = 10_000  # for the head of a request
MOST_CONNECTIONS = 10_000


def main() -> None:
    options = _options()
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))  # every connection is one
    static = environment.read().home / "static"
    static.mkdir(exist_ok=True)
    Granian(
        "dmphub.console_server:load",
        factory=True,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        address=options.host,
        port=options.port,
        workers=1,
        backpressure=MOST_CONNECTIONS,
        http1_settings=HTTP1Settings(header_read_timeout=HEAD_MS),
        workers_kill_timeout=4,
        static_path_route=["/static"],
        static_path_mount=[static],
    ).serve()


def load() -> BufferedWsgi:
    """The application, made in granian's worker process, which must not outlive the one that started it."""
    die_with_parent(signal.SIGKILL)
    from dmphub.wsgi import application  # it sets Django up, which the next one needs
    from dmphub.wsgi_callers import caller_of

    return BufferedWsgi(application, THREADS, caller_of)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve the console and the REST API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
