"""`platforms/{pl}/check/`, `platforms/connectors/`, and files in the delivery log."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from activation.models import Batch, HostKey, UploadedFile
from core.models import Customer
from integrations.connectors.registry import all_connectors
from integrations.models import Platform
from tests.activation.conftest import private_targets
from tests.support.api_caller import Caller
from tests.support.sftp_server import PASSWORD, USER, SftpServer

__all__ = ["private_targets"]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BOTH = [{"from": "a", "to": "mt_excl"}, {"from": "b", "to": "mt_exem"}]


def test_check__warns_of_what_is_hardly_meant(admin: Caller, shop: Customer) -> None:
    platform = Platform.objects.create(
        customer=shop, name="MM", connector="mediamath_event", settings={"advertiser_id": 1, "mapping": BOTH}
    )
    answer = admin.post(f"platforms/{platform.pl}/check/")
    assert answer.status == 200
    assert answer.body["ok"]
    assert (answer.body["asked"], "nobody was asked" in answer.body["found"][0]) == (0, True)
    assert "only one of the two hashes" in answer.body["warnings"][0]


def test_check__tells_why_the_platform_cannot_be_asked(admin: Caller, shop: Customer) -> None:
    platform = Platform.objects.create(
        customer=shop,
        name="Hook",
        connector="mapp_webhook",
        settings={"url": "http://127.0.0.1:9/hook"},
        credentials={"secret": "correct-horse"},
    )
    answer = admin.post(f"platforms/{platform.pl}/check/")
    assert (answer.status, answer.body["ok"]) == (200, False)
    assert "private network" in answer.body["error"]
    assert "correct-horse" not in str(answer.body)


def test_check__refuses_a_file_server_with_another_key_than_it_is_known_by(
    admin: Caller, shop: Customer, private_targets: Any, tmp_path: Path
) -> None:
    with SftpServer(tmp_path) as server:
        platform = Platform.objects.create(
            customer=shop,
            name="Files",
            connector="file",
            settings={"target": "sftp", "host": "127.0.0.1", "port": server.port, "path": "in"},
            credentials={"username": USER, "password": PASSWORD},
        )
        answer = admin.post(f"platforms/{platform.pk}/check/")
        assert (answer.status, answer.body["ok"]) == (200, True)
        assert server.key_line in answer.body["found"][0]

        server.log_ins = 0
        HostKey.objects.create(
            platform_id=platform.pk, host=f"127.0.0.1:{server.port}", key=f"ecdsa-sha2-nistp256 {'A' * 40}", seen_at=NOW
        )
        answer = admin.post(f"platforms/{platform.pk}/check/")
    assert (answer.status, answer.body["ok"]) == (200, False)
    assert "another host key" in answer.body["error"]
    assert server.log_ins == 0


def test_connectors__are_described_whole(admin: Caller) -> None:
    found = {one["key"]: one for one in admin.get("platforms/connectors/").body}
    assert found.keys() == all_connectors().keys()
    assert found["mediamath_batch"]["default_limits"] == {"per_second": 10.0, "concurrent": 5, "per_day": 50000}
    assert "dmp_matching_link_click" in found["mapp_cep"]["notes"]
    assert "pixel_id" in str(found["mediamath_event"]["activation_schema"])


def test_unknown_settings_and_credentials__are_refused_when_saved(admin: Caller, shop: Customer) -> None:
    right = {
        "customer": shop.m,
        "name": "Hook",
        "connector": "mapp_webhook",
        "settings": {"url": "https://h.example/x"},
    }
    wrongs: list[dict[str, object]] = [
        {"settings": {"url": "https://h.example/x", "more": 1}, "credentials": {"secret": "s"}},
        {"credentials": {"secret": "s", "more": 1}},
        {"credentials": {}},
    ]
    for wrong in wrongs:
        assert admin.post("platforms/", right | wrong).status == 400
    assert admin.post("platforms/", right | {"credentials": {"secret": "s"}}).status == 201


def test_batch_of_a_file__shows_what_became_of_it(admin: Caller, shop: Customer) -> None:
    platform = Platform.objects.create(customer=shop, name="MM", connector="none")
    now = NOW
    ids = [uuid4(), uuid4()]
    for batch in ids:
        Batch.objects.create(
            bucket=0, id=batch, platform_id=platform.pl, operation="file", status="done", rows=1, started_at=now
        )
    UploadedFile.objects.create(
        platform_id=platform.pl,
        file_name="P_202603011200.log.gz",
        batch=ids[0],
        rows=1,
        fate="refused",
        uploaded_at=now,
        reason="no blank line",
    )
    files = {row["id"]: row["file"] for row in admin.get("batches/").body["results"]}
    assert files[str(ids[1])] is None
    assert files[str(ids[0])] | {"uploaded_at": ""} == {
        "name": "P_202603011200.log.gz",
        "fate": "refused",
        "reason": "no blank line",
        "uploaded_at": "",
    }
