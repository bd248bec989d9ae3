"""The private door as a program: console and REST API under granian.

    python -m dmphub.console_server --port 8000

Static files come from `<home>/static`, where `manage.py collectstatic` puts them.
"""

import argparse
import signal
from collections.abc import Callable
from typing import Any

from granian import Granian
from granian.constants import Interfaces

from core import environment
from local.supervisor.child import die_with_parent

THREADS = 4


def main() -> None:
    options = _options()
    static = environment.read().home / "static"
    static.mkdir(exist_ok=True)
    Granian(
        "dmphub.console_server:load",
        factory=True,
        interface=Interfaces.WSGI,
        address=options.host,
        port=options.port,
        workers=1,
        blocking_threads=THREADS,
        workers_kill_timeout=4,
        static_path_route=["/static"],
        static_path_mount=[static],
    ).serve()


def load() -> Callable[..., Any]:
    """The application, made in granian's worker process, which must not outlive the one that started it."""
    die_with_parent(signal.SIGKILL)
    from dmphub.wsgi import application

    return application


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve the console and the REST API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
