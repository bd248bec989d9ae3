"""MediaMath S2S end to end: files by SFTP that an independent reader processes, and what its log says of them."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activation import services as activations
from activation.models import Activation, Batch, UploadedFile
from integrations import services
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage
from tests.support.edge_process import EdgeProcess, until
from tests.support.s2s_uploads import S2sPlatform
from tests.support.sandbox_with_stand_ins import SandboxWithStandIns
from tests.support.sftp_server import PASSWORD, USER, SftpServer


@pytest.fixture
def server(sandbox: SandboxWithStandIns) -> Iterator[SftpServer]:
    folder = sandbox.files / USER
    folder.mkdir()
    with SftpServer(folder) as server:
        yield server


@pytest.fixture
def files(stage: DeliveryStage, sandbox: SandboxWithStandIns, server: SftpServer) -> S2sPlatform:
    return S2sPlatform(stage, sandbox, server)


def test_members__arrive_and_leave_one_line_a_user(files: S2sPlatform) -> None:
    platform = files.platform()
    big, huge = files.activate(platform), files.activate(platform, "huge", 1000)
    assert big.segment_id != huge.segment_id
    leaver, left = files.joins(platform)
    _, rich = files.joins(platform, 5000)
    files.joins(platform, 5)
    assert files.write(platform) == 3
    [text] = files.texts().values()
    assert f"\n{rich} {big.segment_id}:0 {huge.segment_id}:0\n" in text
    files.ask(platform)
    assert (files.held(big), files.held(huge)) == ({left, rich}, {rich})

    files.stage.shop.event(leaver, {"amount": 1})
    assert files.write(platform) == 1
    files.ask(platform)
    assert (files.held(big), files.held(huge)) == ({rich}, {rich})
    assert set(UploadedFile.objects.values_list("fate", flat=True)) == {"processed"}
    assert activations.counts(big)["acknowledged"] == 1


def test_refused_file__comes_back_to_its_rows_and_is_shown(files: S2sPlatform) -> None:
    platform = files.platform()
    activation = files.activate(platform)
    _, guilty = files.joins(platform, an_id="beef0000-0000-4000-8000-000000000000")
    _, innocent = files.joins(platform)
    files.write(platform)
    assert activations.counts(activation)["acknowledged"] == 2

    files.ask(platform)
    counts = activations.counts(activation)
    assert (counts["acknowledged"], counts["due"]) == (0, 2)
    assert "a user that nobody knows" in files.stage.delivery(innocent).error
    [batch] = Batch.objects.filter(operation="file")
    assert (batch.status, batch.accepted) == ("failed", 0)
    assert "was refused: a user that nobody knows" in batch.error

    files.write(platform)
    files.ask(platform)
    assert files.held(activation) == {guilty, innocent}
    assert activations.counts(activation)["acknowledged"] == 2


def test_three_refused_files__need_a_person(files: S2sPlatform) -> None:
    platform = files.platform()
    activation = files.activate(platform)
    files.joins(platform, an_id="dead0000-0000-4000-8000-000000000000")
    for _ in range(3):
        files.write(platform)
        files.ask(platform)
    activation.refresh_from_db()
    assert activation.status == Activation.Status.BROKEN
    assert "a user that nobody knows" in activation.last_error
    assert len(files.texts()) == 3


def test_given_segment__is_used_and_not_allocated(files: S2sPlatform) -> None:
    platform = files.platform()
    assert files.activate(platform, "two", 2, segment_id=2).segment_id == 2
    assert [files.activate(platform, name, above).segment_id for name, above in (("a", 10), ("b", 20))] == [1, 3]


def test_private_data__have_files_with_the_clients_name(files: S2sPlatform) -> None:
    platform = files.platform()
    public, private = files.activate(platform), files.activate(platform, "huge", 1000, client="Acme")
    _, rich = files.joins(platform, 5000)
    files.write(platform)
    assert {name.rpartition("_")[0] for name in files.texts()} == {"Partner", "Partner_Acme"}
    files.ask(platform)
    assert files.held(public) == files.held(private) == {rich}


def test_data_centre__chooses_the_server(files: S2sPlatform) -> None:
    platform = files.platform(hosts_by_dc={"ams": "localhost"}, interval_minutes=2)
    activation = files.activate(platform)
    _, near = files.joins(platform)
    _, far = files.joins(platform, extra={"dc": "ams"})
    files.write(platform)
    texts = files.texts().values()
    assert sorted((near in text, far in text) for text in texts) == [(False, True), (True, False)]
    files.ask(platform)
    assert files.held(activation) == {near, far}


def test_log_in_refused__stops_the_activation_and_loses_nothing(files: S2sPlatform) -> None:
    platform = files.platform(password="wrong")
    activation = files.activate(platform)
    _, an_id = files.joins(platform)
    files.write(platform)
    activation.refresh_from_db()
    assert activation.status == Activation.Status.BROKEN
    assert "does not accept the log-in" in activation.last_error

    platform.credentials = {"username": USER, "password": PASSWORD}
    platform.save()
    files.stage.create(platform)
    files.write(platform)
    files.ask(platform)
    assert files.held(activation) == {an_id}


@pytest.mark.parametrize(
    "fault", [{"status": 500}, {"status": 403}, {"status": 429}, {"status": 200, "body": "<html>"}]
)
def test_log__that_cannot_be_read_is_told_and_asked_again(files: S2sPlatform, fault: dict[str, Any]) -> None:
    platform = files.platform()
    activation = files.activate(platform)
    _, an_id = files.joins(platform)
    files.write(platform)
    files.sandbox.faults(target="s2s/ads", **fault)
    files.ask(platform)
    [file] = UploadedFile.objects.all()
    assert file.fate == "waiting"
    assert file.reason.startswith("the processing log: ")
    assert not services.check(platform)["ok"]

    files.sandbox.faults(clear=True)
    files.ask(platform)
    assert files.held(activation) == {an_id}
    checked = services.check(platform)
    assert (checked["ok"], checked["files_in_the_log"]) == (True, 1)
    assert "removed" in checked["found"][-1]


amounts = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 500, 5000])), min_size=1, max_size=6)


@given(rounds=st.lists(amounts, min_size=1, max_size=4))
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_any_history__ends_with_exactly_the_members(
    files: S2sPlatform, rounds: list[list[tuple[int, int]]], make_world: Callable[[], tuple[Platform, list[Activation]]]
) -> None:
    platform, (big, huge) = make_world()
    users = [files.joins(platform, 1) for _ in range(4)]
    amount = dict.fromkeys(range(4), 1)
    for changes in rounds:
        for number, value in changes:
            amount[number] = value
            files.stage.shop.event(users[number][0], {"amount": value})
        files.write(platform)
        if UploadedFile.objects.filter(platform_id=platform.pl, fate="waiting").exists():
            files.ask(platform)
    mine = {an_id for _, an_id in users}
    assert files.held(big) & mine == {users[number][1] for number, value in amount.items() if value > 100}
    assert files.held(huge) & mine == {users[number][1] for number, value in amount.items() if value > 1000}


@pytest.fixture
def make_world(files: S2sPlatform) -> Callable[[], tuple[Platform, list[Activation]]]:
    """The same platform for all examples: what was before must not matter."""
    platform = files.platform(limits={"files_per_hour": 1000})
    made = [files.activate(platform), files.activate(platform, "huge", 1000)]
    return lambda: (platform, made)


def test_quota_of_files__is_kept_and_nothing_is_lost(files: S2sPlatform) -> None:
    platform = files.platform(limits={"files_per_hour": 1})
    activation = files.activate(platform)
    files.joins(platform)
    files.write(platform)
    files.joins(platform)
    files.write(platform)
    assert len(files.texts()) == 1
    counts = activations.counts(activation)
    assert (counts["wanted"], counts["acknowledged"], counts["due"]) == (2, 1, 1)
    assert "1 files an hour are used up" in Batch.objects.exclude(error="").get().error


def test_pixel_and_sync_tag__from_the_edge_to_the_platform(files: S2sPlatform, edge_process: EdgeProcess) -> None:
    """The whole way: a browser is synced with its data centre, and what it buys puts it into a file."""
    platform = files.platform()
    activation = files.activate(platform)
    browser, mm_uuid = str(uuid4()), str(uuid4())
    secret, pixel = platform.sync_secrets[0], files.stage.shop.pixel.id
    sync = f"/uid?userid={mm_uuid}&pl={platform.pl}&plsec={secret}&dc=ewr"

    until(lambda: edge_process.client.send("GET", sync, cookie=browser).status in {200, 302})
    bought = edge_process.client.send("POST", f"/dp?m=1&id={pixel}&t=gif&_check=1", b'{"amount": 500}', cookie=browser)
    assert bought.name == "accepted"

    files.write(platform)
    files.ask(platform)
    assert files.held(activation) == {mm_uuid}
    story = files.stage.shop.mappings(UUID(browser))
    assert story == {(platform.pl, mm_uuid)}
