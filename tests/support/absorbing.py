"""An absorber in a process of its own: `python -m tests.support.absorbing`, until the inbox is empty.

At the first row whose body holds DIE_AT it kills itself, at one that holds STOP_AT it stops itself, once: in
the middle of its transaction. IDLE is how long the database waits for a stopped one. Prints how many rows
it absorbed.
"""

import os
import signal
import time
from dataclasses import replace
from typing import Any

import django
import psycopg

django.setup()

from core import database
from core.inbox import InboxKind
from core.models import Inbox
from pipeline.absorb import stage
from pipeline.absorb.handlers import HANDLERS


def main() -> None:
    database.OPTIONS += f" -c idle_in_transaction_session_timeout={os.environ.get('IDLE', '30s')}"
    _meet(os.environ.get("DIE_AT"), signal.SIGKILL)
    _meet(os.environ.get("STOP_AT"), signal.SIGSTOP)
    absorbed = 0
    while Inbox.objects.exists():
        try:
            absorbed += stage.absorb_once()
        except psycopg.Error as lost:
            print(type(lost).__name__)
        time.sleep(0.001)
    print(absorbed)


def _meet(mark: str | None, number: signal.Signals) -> None:
    if not mark:
        return
    known = HANDLERS[InboxKind.EVENT]
    met = False

    def apply(unit: Any, row: Any, message: Any) -> None:
        nonlocal met
        if not met and row.body and mark.encode() in row.body:
            met = True
            os.kill(os.getpid(), number)
        known.apply(unit, row, message)

    HANDLERS[InboxKind.EVENT] = replace(known, apply=apply)


if __name__ == "__main__":
    main()
