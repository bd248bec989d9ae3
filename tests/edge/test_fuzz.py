"""Whatever is sent: never a 5xx, never a lost neighbour."""

import gzip
import json
import threading
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.inbox import InboxKind
from tests.support.edge_client import Client, Reply
from tests.support.edge_process import DP, PIXEL, SIGNED_PLATFORM, TOKEN_PLATFORM, TOKENS, RunningEdge

USER = "6f6f1c1e-9d0b-4c7e-8a7e-0123456789ab"
NEIGHBOUR = "0b1c2d3e-4f50-4a6b-9c8d-7e6f5a4b3c2d"

fuzzed = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

_odd = ["", "0", "-1", "null", "\0", "é", "[[USERID]]", "9" * 5000, "1e400", USER, "gif", "js", "1", "{}", "["]
values = st.sampled_from([*_odd, *map(str, DP.values()), str(TOKEN_PLATFORM), str(SIGNED_PLATFORM), TOKENS[0]])
encoded = (values | st.text(max_size=20)).map(lambda text: quote(text.encode("utf-8", "surrogatepass"), safe=""))
raw = st.binary(max_size=20).map(lambda content: "".join(f"%{byte:02x}" for byte in content))
punctuation = st.text("%&=+;?/\\\"'<>{}[]$.,~!^`|", max_size=6).map(lambda text: quote(text, safe="%&=+;?/"))
_dp_names = ["m", "id", "t", "data", "uuid", "at", "_ck", "_nr", "_check", "euid", "devid_g", "idmd5", "_geo_c", "it"]
_uid_names = ["userid", "pl", "plsec", "plcsec", "ts", "sig", "alg", "dc", "ttl"]
_signals = ["gdpr", "gdpr_consent", "us_privacy", "gpp", "gpp_sid"]
names = st.sampled_from([*_dp_names, *_uid_names, *_signals, "lat", "x"])
fields = st.lists(st.tuples(names | raw, encoded | raw | punctuation), max_size=6)

numbers = st.integers() | st.floats() | st.sampled_from([2**64, -(2**63) - 1, 10**400])
scalars = numbers | st.booleans() | st.none() | st.text(max_size=10) | st.sampled_from(["\0", "\ud800", "\udfff"])
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(["UserId", "\0", "\ud800"]), inner, max_size=4)
    ),
    max_leaves=20,
)
bodies = st.binary(max_size=200) | documents.map(lambda value: json.dumps(value).encode())
headers = st.fixed_dictionaries(
    {},
    optional={
        "Content-Encoding": st.sampled_from(["gzip", "identity", "br", "x-gzip", ""]),
        "Cookie": st.sampled_from([f"dmpuid={USER}", "dmpuid=", "dmpuid=x; a=b", ";;;=", f"a=b;dmpuid={USER}"]),
        "Content-Type": st.sampled_from(["application/json", "text/plain", "application/x-www-form-urlencoded"]),
    },
)


@pytest.fixture
def neighbour(edge: RunningEdge) -> Iterator["Neighbour"]:
    sender = Neighbour(edge.process.port)
    sender.start()
    yield sender
    sender.stop()
    kept = sum(row.message.get("user") == NEIGHBOUR for row in edge.rows() if row.kind == InboxKind.EVENT)
    assert sender.refused == []
    assert kept == sender.accepted > 0


class Neighbour(threading.Thread):
    """Sends good events all the while, so that they share commits with what is fuzzed."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._client = Client(port)
        self._stopped = threading.Event()
        self.accepted = 0
        self.refused: list[Reply] = []

    def run(self) -> None:
        while not self._stopped.is_set():
            reply = self._client.post("/dp", {**DP, "uuid": NEIGHBOUR}, b'{"a": 1}')
            if reply.name == "accepted":
                self.accepted += 1
            else:
                self.refused.append(reply)

    def stop(self) -> None:
        self._stopped.set()
        self.join()
        self._client.close()


def _check(edge: RunningEdge, reply: Reply) -> None:
    assert reply.status in {200, 302, 400, 403, 404, 405, 413}, reply
    if reply.status >= 400:
        assert reply.cookie is None
        assert "location" not in reply.headers
    assert edge.process.process.poll() is None


@pytest.mark.usefixtures("neighbour")
@fuzzed
@given(
    path=st.sampled_from(["/dp", "/uid", "/opt-out", "/opt-in", "/c/x"]),
    method=st.sampled_from(["GET", "POST"]),
    query=fields,
    start=st.sampled_from(["", f"m={DP['m']}&id={PIXEL}&", f"pl={TOKEN_PLATFORM}&plsec={TOKENS[0]}&"]),
    sent=headers,
)
def test_edge__any_query__is_never_an_error_of_ours(
    edge: RunningEdge,
    path: str,
    method: str,
    query: list[tuple[str, str]],
    start: str,
    sent: dict[str, str],
) -> None:
    target = f"{path}?{start}" + "&".join(f"{name}={value}" for name, value in query)
    _check(edge, edge.client.send(method, target, None, sent))


@pytest.mark.usefixtures("neighbour")
@fuzzed
@given(body=bodies, sent=headers, packed=st.booleans(), check=st.sampled_from(["", "&_nr=1"]))
def test_dp__any_body__is_never_an_error_of_ours(
    edge: RunningEdge, body: bytes, sent: dict[str, str], packed: bool, check: str
) -> None:
    target = f"/dp?m={DP['m']}&id={PIXEL}{check}"
    _check(edge, edge.client.send("POST", target, gzip.compress(body) if packed else body, sent))
    _check(edge, edge.client.get("/dp", f"{target[4:]}&data={quote(body)}"))
