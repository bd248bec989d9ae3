"""The edge of a whole hub in odd conversations, for twenty minutes: documented answers, no secret, nobody restarted."""

import threading
from uuid import uuid4

import psycopg
import pytest

from tests.faults.fuzzed_hub import SECONDS, SEED, doors, fuzzed_hub, processes, secrets_of, tracebacks
from tests.support.edge_client import Client
from tests.support.edge_fuzz import EdgeFuzz
from tests.support.edge_process import until
from tests.support.fuzz_world import FuzzWorld, configure
from tests.support.odd_conversations import ConversationDrawer
from tests.support.vitals import Vitals

NO_END = 10**9
COUNTED = "SELECT (activity -> %s ->> 'total')::int FROM profile WHERE user_id = %s"


class Neighbour(threading.Thread):
    """Sends good events all the while, so that they share connections, commits and batches with what is odd."""

    def __init__(self, port: int, world: FuzzWorld) -> None:
        super().__init__(daemon=True)
        self.user = str(uuid4())
        self.accepted = 0
        self.refused: list[str] = []
        self._fields = {"m": world.customer, "id": world.pixel, "uuid": self.user}
        self._client = Client(port)
        self._enough = threading.Event()

    def accepts(self) -> bool:
        reply = self._client.get("/dp", {**self._fields, "uuid": uuid4()})
        return reply.name == "accepted"

    def run(self) -> None:
        while not self._enough.wait(0.02):
            reply = self._client.post("/dp", self._fields, b'{"amount": 1}')
            if reply.name == "accepted":
                self.accepted += 1
            else:
                self.refused.append(f"{reply.status} {reply.name}")

    def enough(self) -> None:
        self._enough.set()
        self.join(60)
        self._client.close()


@pytest.mark.timeout(SECONDS + 900)
def test_edge__in_odd_conversations_for_long__answers_as_documented_and_loses_nothing() -> None:
    with fuzzed_hub() as hub:
        key = hub.new_api_key()
        api = hub.api(key)
        world = configure(api)
        neighbour = Neighbour(hub.edge_port, world)
        until(neighbour.accepts, 30)
        before, secrets = processes(hub), secrets_of(hub, key)
        drawer = ConversationDrawer(world.targets(key), pause=1.5, patient=True)
        neighbour.start()
        with Vitals(doors(hub)) as vitals:
            report = EdgeFuzz(hub.edge_port, drawer, secrets, SEED).run(seconds=SECONDS, most=NO_END, threads=32)
        neighbour.enough()
        print(report.told(), f"/healthz: {vitals.asked:,} times, {vitals.slowest:.3f} s at most", sep="\n")
        until(lambda: api.get("pipeline/")["inbox"] == 0, 300)
        with psycopg.connect(hub.services.database_url) as connection:
            counted = connection.execute(COUNTED, [str(world.pixel), neighbour.user]).fetchone()

        assert report.faults == []
        assert vitals.late == []
        assert secrets.logged(hub.home) == []
        assert tracebacks(hub) == []
        assert processes(hub) == before
        assert (neighbour.refused, counted) == ([], (neighbour.accepted,))
