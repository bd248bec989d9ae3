"""MediaMath S2S against the sandbox's own: the same rules, read by somebody else."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from activation.models import Activation, UploadedFile
from activation.publishing import publication, publish
from integrations.errors import RefusedError
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage
from tests.support.s2s_uploads import S2sPlatform
from tests.support.sandbox_process import SandboxProcess
from tests.support.shop import Shop

ACCOUNT = "partner"


@pytest.fixture(scope="module")
def door() -> Iterator[SandboxProcess]:
    with SandboxProcess(sftp=True) as sandbox:
        yield sandbox


class SandboxFiles(S2sPlatform):
    """Files that go to the sandbox."""

    def __init__(self, stage: DeliveryStage, sandbox: SandboxProcess) -> None:
        self.stage, self.house = stage, sandbox

    def platform(self, **more: Any) -> Platform:
        place = self.house.sftp_door()
        given = {
            "host": place["host"],
            "port": place["port"],
            "path": "upload",
            "partner": "Partner",
            "segment_namespace": "ep",
            "interval_minutes": 1,
            "log_url": f"{self.house.url}/mediamath/s2s/log",
            "taxonomy_url": f"{self.house.url}/dmp/v2.0/audience_segments",
            "data_segment_url": f"{self.house.url}/api/v2.0/pixel_bundles",
        }
        credentials = {"username": ACCOUNT, "password": f"{ACCOUNT}-secret", "host_key": place["host_key"]}
        return self.stage.shop.platform(
            "mediamath", connector="mediamath_s2s", settings=given | more, credentials=credentials
        )

    def held(self, activation: Activation) -> set[str]:
        held = self.house.held("mediamath-s2s", ACCOUNT)
        return {
            one
            for kind in ("display", "mobile")
            for one in held[kind].get("ep", {}).get(str(activation.segment_id), [])
        }


@pytest.fixture
def files(shop: Shop, door: SandboxProcess, private_targets: Any) -> SandboxFiles:
    door.reset()
    return SandboxFiles(DeliveryStage(shop, door), door)


@pytest.mark.parametrize("mobile", [False, True])
def test_members__arrive_and_leave(files: SandboxFiles, mobile: bool) -> None:
    platform = files.platform(mobile=mobile)
    big, huge = files.activate(platform), files.activate(platform, "huge", 1000)
    leaver, left = files.joins(platform)
    _, rich = files.joins(platform, 5000)
    _, stranger = files.joins(platform, an_id="no-guid")
    files.write(platform)
    files.ask(platform)
    assert (files.held(big), files.held(huge)) == ({left, rich}, {rich})
    assert files.stage.delivery(stranger).dead

    files.stage.shop.event(leaver, {"amount": 1})
    files.write(platform)
    files.ask(platform)
    assert (files.held(big), files.held(huge)) == ({rich}, {rich})
    assert set(UploadedFile.objects.values_list("fate", "reason")) == {("processed", "")}
    assert files.house.held("mediamath-s2s", ACCOUNT)["rejected"] == 0


def test_many_segments__go_on_split_lines(files: SandboxFiles) -> None:
    """Segment numbers as long as they get: a line holds some six hundred of them."""
    platform = files.platform(client="Acme")
    made = [files.activate(platform, f"a{number}", 100, segment_id=2_000_000_000 + number) for number in range(12)]
    _, an_id = files.joins(platform)
    files.write(platform)
    files.ask(platform)
    assert all(files.held(activation) == {an_id} for activation in made)


def test_refused_file__is_told_with_its_reason(files: SandboxFiles) -> None:
    """The door takes twenty files an hour; whoever sends more is told in the log."""
    platform = files.platform()
    platform.limits = {"files_per_hour": 100}
    platform.save()
    activation = files.activate(platform)
    for _ in range(21):
        files.joins(platform)
        files.write(platform)
    files.ask(platform)
    [refused] = UploadedFile.objects.filter(fate="refused")
    assert "more than 20 files" in refused.reason
    assert len(files.held(activation)) == 20


def test_taxonomy__is_made_and_replaced_whole(files: SandboxFiles) -> None:
    platform = files.platform()
    files.activate(platform)
    order = {"audience_vendor_id": 13, "name": "Shop"}
    made = publish(platform, publication(platform, "taxonomy", order))
    number = msgspec.json.decode(made.body)["id"]
    files.activate(platform, "huge", 1000)
    replaced = publish(platform, publication(platform, "taxonomy", order | {"id": number}))
    assert (made.status, replaced.status) == (201, 202)
    children = msgspec.json.decode(replaced.body)["taxonomy"]["children"]
    assert [(child["name"], child["code"], child["buyable"]) for child in children] == [
        ("big", "1", True),
        ("huge", "2", True),
    ]


def test_data_segment__is_a_pixel_bundle__and_a_second_one_is_refused_in_their_words(files: SandboxFiles) -> None:
    platform = files.platform()
    activation = files.activate(platform)
    order = {"activation": activation.id, "provider_id": 15, "advertiser_id": 23}
    made = publish(platform, publication(platform, "data_segment", order))
    assert made.status == 201
    wanted = {"name": f"big {activation.segment_id}", "pixel_type": "data", "provider_id": 15, "eligible": True}
    held = files.house.held("mediamath-s2s", ACCOUNT)["pixel_bundles"]
    assert list(held.values()) == [wanted | {"advertiser_id": 23}]

    with pytest.raises(RefusedError, match=r"HTTP 409: .*has a pixel bundle of that name"):
        publish(platform, publication(platform, "data_segment", order))
    assert files.house.held("mediamath-s2s", ACCOUNT)["pixel_bundles"] == held
