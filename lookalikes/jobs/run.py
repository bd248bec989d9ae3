"""Everything that is due for lookalikes, done one after the other by one process."""

import logging
from collections.abc import Callable
from typing import Any

from audiences.models import Audience
from core import clock
from core.database import connect
from lookalikes import orders
from lookalikes.jobs import readers
from lookalikes.jobs.readers import Map
from lookalikes.jobs.scoring import score
from lookalikes.jobs.training import learn
from lookalikes.orders import MOST_ATTEMPTS, Order

LOOKALIKES = 0x646D71  # a class of advisory locks: one process an audience
MOST_ORDERS = 1_000  # of one process: what it cannot finish is left to the next

log = logging.getLogger(__name__)


def work_off(count: int | None = None, keep_on: Callable[[], bool] = lambda: True) -> int:
    """Do what is due, with so many reading processes (0: in this one); answers how much that was."""
    done = 0
    try:
        if not orders.due(clock.now()):
            return 0
        with readers.processes(count) as run:
            while done < MOST_ORDERS and keep_on() and _carry_out_next(run):
                done += 1
    finally:
        readers.close()
    return done


def _carry_out_next(run: Map[Any, Any]) -> bool:
    """The first that is due and that no other process is at; false where there is none."""
    return any(_carry_out(order, run) for order in orders.due(clock.now()))


def _carry_out(order: Order, run: Map[Any, Any]) -> bool:
    """Under a lock that goes with its connection, so that a second process does not do the same."""
    connection = connect(durable=False)
    try:
        taken = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOOKALIKES, order.audience]).fetchone()
        if taken == (True,):
            _do(order, run)
        return taken == (True,)
    finally:
        connection.close()


def _do(order: Order, run: Map[Any, Any]) -> None:
    now = clock.now()
    if orders.begin(order.audience) >= MOST_ATTEMPTS:
        orders.give_up(order.audience, f"given up: its process died {MOST_ATTEMPTS} times")
        return
    audience = Audience.objects.select_related("seed", "run").get(id=order.audience)
    try:
        if order.train:
            learn(audience, audience.run.random_state, now, run)
        if Audience.objects.filter(id=audience.id, run__score_at__lte=clock.now()).exists():
            score(audience, clock.now(), run)
    except Exception as failure:
        log.exception("lookalike %s", audience.id)
        orders.failed(audience.id, now, type(failure).__name__)
