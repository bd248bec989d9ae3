import time

import pytest
import requests

from tests.support.sandbox_account import GenericAccount
from tests.support.sandbox_process import SandboxProcess


def test_state__one_account__has_the_documented_shape(sandbox: SandboxProcess, foo: GenericAccount) -> None:
    segment = foo.create("My segment")
    foo.add(segment, "b", "a")
    GenericAccount(sandbox, "bar").create("other")
    assert sandbox.state("foo")["generic"] == {
        "foo": {
            "segments": {str(segment): {"title": "My segment", "size": 2, "members": ["a", "b"]}},
            "requests": 2,
            "rejected": 0,
            "faulted": 0,
            "adds": 2,
            "removes": 0,
            "repeats": 0,
            "violations": [],
        }
    }
    assert sandbox.state().keys() == {
        *("generic", "lists", "sync", "signed-sync", "mathtag", "cep", "mapp-webhook"),
        *("mediamath-event", "mediamath-batch", "mediamath-s2s", "files"),
    }
    assert sandbox.members("foo", "My segment") == {"a", "b"}


def test_state__without_members__tells_sizes_only(sandbox: SandboxProcess, foo: GenericAccount) -> None:
    foo.add(foo.create("s"), "a")
    assert sandbox.state("foo", members=False)["generic"]["foo"]["segments"]["12345"] == {
        "title": "s",
        "size": 1,
    }


def test_state__account_nobody_used__is_empty_and_stays_unopened(sandbox: SandboxProcess) -> None:
    assert sandbox.state("ghost")["generic"]["ghost"]["segments"] == {}
    assert sandbox.state()["generic"] == {}


def test_received__mutations__come_in_order_with_time_and_sequence(
    sandbox: SandboxProcess, foo: GenericAccount
) -> None:
    before = time.time()
    segment = foo.create("s")
    foo.add(segment, "b", "a")
    foo.call("DELETE", f"id={segment}&userid=b")
    arrivals = sandbox.received("foo")
    assert [(number, *rest) for number, _, *rest in arrivals] == [
        (1, "add", segment, "b"),
        (2, "add", segment, "a"),
        (3, "remove", segment, "b"),
    ]
    assert before <= arrivals[0][1] == arrivals[1][1] <= arrivals[2][1] <= time.time()
    assert sandbox.received("foo", since=1) == arrivals[1:]
    assert sandbox.received("foo", since=3) == []


def test_hundred_thousand_members__are_taken_and_told_quickly(sandbox: SandboxProcess, foo: GenericAccount) -> None:
    segment = foo.create("big")
    for start in range(0, 100_000, 1000):
        foo.add(segment, *(f"user-{number}" for number in range(start, start + 1000)))
    began = time.perf_counter()
    members = foo.members(segment)
    assert time.perf_counter() - began < 2
    assert members == sorted(f"user-{number}" for number in range(100_000))
    assert [number for number, *_ in sandbox.received("foo")] == list(range(1, 100_001))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/state?acount=x", 400),
        ("/state?members=2", 400),
        ("/received", 400),
        ("/received?account=x&since=-1", 400),
        ("/received?account=x&party=nobody", 400),
        ("/reset", 405),
        ("/healthz", 200),
    ],
)
def test_controls__asked_wrongly__say_so(sandbox: SandboxProcess, path: str, status: int) -> None:
    assert requests.get(sandbox.url + path, timeout=5).status_code == status


def test_reset__empties_everything(sandbox: SandboxProcess, foo: GenericAccount) -> None:
    foo.create("s")
    sandbox.faults(target="generic", status=500)
    sandbox.reset()
    assert all(accounts == {} for accounts in sandbox.state().values())
    assert foo.create("again") == 12345


def test_page__shows_segments_requests_and_faults_escaped(sandbox: SandboxProcess, foo: GenericAccount) -> None:
    segment = foo.create("<script>alert(1)</script>")
    foo.add(segment, *(f"user-{number}" for number in range(1000)))
    sandbox.faults(target="generic/foo", status=503, times=4)
    page = requests.get(sandbox.url, timeout=5)
    assert page.headers["Content-Type"].startswith("text/html")
    assert "&lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert "<td>1,000</td>" in page.text
    assert "&quot;times&quot;:4" in page.text
    assert "user-0" in page.text
    assert "user-500" not in page.text
    assert "foo-secret" not in page.text
    assert len(page.text) < 10_000


def test_page__broken_rule__is_told(sandbox: SandboxProcess, foo: GenericAccount) -> None:
    foo.call("POST", "id=999&userid=u")
    assert "<td>no segment 999</td>" in requests.get(sandbox.url, timeout=5).text


def test_page__empty_sandbox__says_so(sandbox: SandboxProcess) -> None:
    assert "Nothing has called yet." in requests.get(sandbox.url, timeout=5).text
