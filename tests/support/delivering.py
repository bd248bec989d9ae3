"""`python -m tests.support.delivering PLATFORM`: a deliverer in a process of its own, until nothing is due.

Variables of the environment make it fail. DIE: where it kills itself (before_send, after_send, before_finish, or
on:<id>). HASTY: time-outs of so many seconds, and leases of one and a half.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any


def main() -> None:
    import django

    django.setup()
    from activation.delivery import lanes
    from activation.stores import outcomes
    from integrations import http
    from integrations.connectors.http.connector import HttpConnector
    from pipeline import deliver

    if os.environ.get("HASTY"):
        lanes.MARGIN = timedelta(seconds=0.5)
        HttpConnector.timeout = float(os.environ["HASTY"])
    die = os.environ.get("DIE", "")
    exchange: Callable[..., Any] = http.exchange
    done: Callable[..., Any] = outcomes.done

    def exchanging(request: Any, timeout: float) -> Any:
        if die == "before_send" or (die.startswith("on:") and die[3:].encode() in (request.body or b"")):
            _die()
        answer = exchange(request, timeout)
        if die == "after_send":
            _die()
        return answer

    def finishing_up(*given: Any) -> Any:
        if die == "before_finish":
            _die()
        return done(*given)

    vars(http)["exchange"] = exchanging
    vars(outcomes)["done"] = finishing_up
    print("ready", flush=True)
    platform = int(sys.argv[1])
    for lane in range(lanes.LANES):
        deliver.work(platform, lane, lambda: True)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
