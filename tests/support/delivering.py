"""`python -m tests.support.delivering PLATFORM`: a deliverer in a process of its own, until nothing is due.

Variables of the environment make it fail. DIE: where it kills itself (before_send, after_send, before_finish,
before_live, after_upload, or on:<id>). HASTY: time-outs of so many seconds, and leases of one and a half. LANES: the
lanes that it works in, with commas between. AHEAD: its clock is so many seconds ahead.
"""

import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any


def main() -> None:
    import django

    django.setup()
    from django.conf import settings

    from activation.delivery import activation_status, file_sender, lanes
    from activation.stores import outcomes
    from core import clock
    from integrations import http
    from integrations.connectors.http.connector import HttpConnector
    from pipeline import deliver

    settings.ALLOW_PRIVATE_TARGETS = True
    if os.environ.get("HASTY"):
        lanes.MARGIN = timedelta(seconds=0.5)
        HttpConnector.timeout = float(os.environ["HASTY"])
    clock.ahead = timedelta(seconds=float(os.environ.get("AHEAD", "0")))
    die = os.environ.get("DIE", "")
    fatal = die[3:].encode() if die.startswith("on:") else None
    _dies(http, "exchange", before=lambda request, _: die == "before_send" or _holds(request, fatal))
    _dies(http, "exchange", after=die == "after_send")
    _dies(outcomes, "done", before=lambda *_: die == "before_finish")
    _dies(activation_status, "mark_live", before=lambda *_: die == "before_live")
    _dies(file_sender, "upload", after=die == "after_upload")
    print("ready", flush=True)
    platform = int(sys.argv[1])
    chosen = os.environ.get("LANES")
    for lane in map(int, chosen.split(",")) if chosen else range(lanes.LANES):
        deliver.work(platform, lane, lambda: True)


def _holds(request: Any, text: bytes | None) -> bool:
    return text is not None and text in (request.body or b"")


def _dies(
    module: ModuleType, name: str, *, before: Callable[..., bool] = lambda *_: False, after: bool = False
) -> None:
    """Have the process kill itself before a call of the module's function for which `before` holds, or after it."""
    function: Callable[..., Any] = vars(module)[name]

    def dying(*given: Any) -> Any:
        if before(*given):
            _die()
        answer = function(*given)
        if after:
            _die()
        return answer

    vars(module)[name] = dying


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
