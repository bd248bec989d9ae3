"""Files of profiles through the API: `imports/`."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from api.uploads import upload_place
from core.models import ApiKey, Customer, Inbox
from pipeline.imports import files, services
from pipeline.models import Import
from profiles.models import Pixel
from tests.support.api_caller import BASE, Answer, Caller, caller
from tests.support.tables import db

__all__ = ["db"]

PEOPLE = b"UserId,City\nC-1,Rome\n,nobody\nC-2,Oslo\n"


@pytest.fixture(autouse=True)
def _no_files_left() -> Any:
    yield
    for path in files.folder().iterdir():
        path.unlink()


def upload(by: Caller, body: Any, query: str) -> Answer:
    client = APIClient(raise_request_exception=False)
    response: Any = client.generic(
        "POST",
        f"{BASE}imports/?{query}",
        body,
        "text/csv",
        headers={"Authorization": f"Bearer {by.key}"},
    )
    return Answer(response.status_code, response.json(), response.headers)


@pytest.mark.parametrize("packed", [False, True])
def test_upload__of_a_file__is_imported_and_then_gone(admin: Caller, pixel: Pixel, packed: bool) -> None:
    body = gzip.compress(PEOPLE) if packed else PEOPLE
    answer = upload(admin, body, f"pixel={pixel.pk}&name=people.csv{'.gz' if packed else ''}")

    assert answer.status == 201
    assert {answer.body[name] for name in ("status", "rows", "format")} == {"waiting", 0, "csv"}
    kept = files.kept_file(answer.body["id"])
    assert kept.read_bytes() == body
    assert kept.stat().st_mode & 0o077 == 0 or files.folder().stat().st_mode & 0o077 == 0
    assert services.work_off()

    told = admin.get(f"imports/{answer.body['id']}/").body
    assert (told["status"], told["rows"], told["stored"], told["refused"]) == ("done", 3, 2, 1)
    assert told["read"] == told["size"] == len(body)
    assert Inbox.objects.count() == 2
    assert not kept.exists()


def test_errors__of_an_import__are_lines_to_download(admin: Caller, pixel: Pixel) -> None:
    row = upload(admin, PEOPLE, f"pixel={pixel.pk}&name=p.csv").body["id"]
    services.work_off()

    client = APIClient(headers={"Authorization": f"Bearer {admin.key}"})
    response: Any = client.get(f"{BASE}imports/{row}/errors/")

    assert response.headers["Content-Disposition"].startswith("attachment")
    lines = b"".join(response.streaming_content).splitlines()
    assert [json.loads(line)["row"] for line in lines] == [2]


def test_dry_run__then_start__looks_first_and_imports_the_same_file(admin: Caller, pixel: Pixel) -> None:
    row = upload(admin, PEOPLE, f"pixel={pixel.pk}&name=p.csv&dry_run=1").body["id"]
    services.work_off()
    looked = admin.get(f"imports/{row}/").body
    assert (looked["status"], looked["report"]["new_users"], looked["report"]["new_attributes"]) == (
        "done",
        2,
        ["City", "UserId"],
    )
    assert not Inbox.objects.exists()

    assert admin.post(f"imports/{row}/start/").body["status"] == "waiting"
    assert services.work_off()

    assert admin.get(f"imports/{row}/").body["stored"] == Inbox.objects.count() == 2
    assert admin.post(f"imports/{row}/start/").status == 409
    assert not files.kept_file(row).exists()


def test_cancel__of_a_waiting_import__is_final_and_deletes_its_file(admin: Caller, pixel: Pixel) -> None:
    row = upload(admin, PEOPLE, f"pixel={pixel.pk}&name=p.csv").body["id"]

    assert admin.post(f"imports/{row}/cancel/").body["status"] == "cancelled"

    assert not services.work_off()
    assert not files.kept_file(row).exists()
    assert admin.post(f"imports/{row}/cancel/").status == 409


def test_cancel__in_the_middle__stops_before_the_next_batch(
    admin: Caller, pixel: Pixel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.imports.reading.BATCH", 1)
    row = upload(admin, PEOPLE, f"pixel={pixel.pk}&name=p.csv").body["id"]
    waited = 0

    def wait(_: Any) -> None:
        nonlocal waited
        waited += 1
        if waited == 2:
            services.cancel(Import.objects.get(pk=row))

    monkeypatch.setattr("pipeline.backlog.Backpressure.wait", wait)
    services.work_off()

    assert (Import.objects.get(pk=row).status, Inbox.objects.count()) == ("cancelled", 1)
    assert not files.kept_file(row).exists()


@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("", {"pixel", "name"}),
        ("pixel=7&name=people.xls", {"name"}),
        ("pixel=8&name=p.csv", {"pixel"}),
        ("pixel=7&name=p.csv&dry_run=perhaps", {"dry_run"}),
        ("pixel=7&name=p.csv&colour=red", {"colour"}),
    ],
)
def test_upload__asked_for_wrongly__is_400_at_the_place(
    admin: Caller, pixel: Pixel, query: str, places: set[str]
) -> None:
    answer = upload(admin, PEOPLE, query)

    assert (answer.status, {place for place, _ in answer.places}) == (400, places)
    assert not list(files.folder().iterdir())


@pytest.mark.parametrize("name", ["a%0D%0AX-Y: z.csv", "a%1b[2J.csv", "%7f.csv", "a%C2%85.csv", "a%E2%80%A8.csv"])
def test_upload__named_by_control_characters__is_400(admin: Caller, pixel: Pixel, name: str) -> None:
    assert upload(admin, PEOPLE, f"pixel={pixel.pk}&name={name}").places == [("name", "invalid")]


@pytest.mark.parametrize("name", ["../../etc/a b.csv", "/a b.csv", "C:%5Cx%5Ca b.csv", "a b.csv"])
def test_upload__named_with_folders__keeps_the_name_of_the_file(admin: Caller, pixel: Pixel, name: str) -> None:
    assert upload(admin, PEOPLE, f"pixel={pixel.pk}&dry_run=1&name={name}").body["name"] == "a b.csv"


def test_upload__empty_or_too_large__leaves_nothing_behind(
    admin: Caller, pixel: Pixel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert upload(admin, b"", "pixel=7&name=p.csv").status == 400
    monkeypatch.setattr(files, "MOST_BYTES", 10)
    assert upload(admin, PEOPLE, "pixel=7&name=p.csv").status == 413
    assert not list(files.folder().iterdir())
    assert not Import.objects.exists()


def test_upload__while_two_others_of_the_customer_are_under_way__is_503(pixel: Pixel) -> None:
    bound, owner = caller("marketer", pixel.customer), f"customer {pixel.customer_id}"
    with upload_place("customer 2"), upload_place("customer 2"), upload_place(owner):
        assert upload(bound, PEOPLE, "pixel=7&name=p.csv").status == 201
        with upload_place(owner):
            answer = upload(bound, PEOPLE, "pixel=7&name=p.csv")

    assert (answer.status, answer.headers["Retry-After"]) == (503, "10")


def test_imports__of_another_customer__are_not_there(admin: Caller, pixel: Pixel, rival: Customer) -> None:
    row = upload(admin, PEOPLE, f"pixel={pixel.pk}&name=p.csv").body["id"]
    theirs = caller(ApiKey.Role.ADMIN, rival)

    assert theirs.get(f"imports/{row}/").status == 404
    assert theirs.get(f"imports/{row}/errors/").status == 404
    assert theirs.post(f"imports/{row}/cancel/").status == 404
    assert upload(theirs, PEOPLE, f"pixel={pixel.pk}&name=p.csv").status == 400
    assert upload(caller(ApiKey.Role.ANALYST), PEOPLE, f"pixel={pixel.pk}&name=p.csv").status == 403


def test_sweep__of_files__forgets_what_is_over(admin: Caller, pixel: Pixel) -> None:
    done = upload(admin, PEOPLE, f"pixel={pixel.pk}&name=p.csv").body["id"]
    services.work_off()
    waiting = upload(admin, PEOPLE, f"pixel={pixel.pk}&name=p.csv").body["id"]
    now = datetime.now(UTC)

    files.sweep(now)
    assert files.errors_file(done).exists()
    files.sweep(now + files.ERRORS_KEPT + timedelta(days=1))

    assert not files.errors_file(done).exists()
    assert files.kept_file(waiting).exists()
    assert files.forget_ended(pixel.customer_id) == 0


def test_forget_ended__of_a_customer__deletes_what_ended_imports_left(admin: Caller, pixel: Pixel) -> None:
    looked_at = upload(admin, PEOPLE, f"pixel={pixel.pk}&name=p.csv&dry_run=1").body["id"]
    services.work_off()
    waiting = upload(admin, PEOPLE, f"pixel={pixel.pk}&name=p.csv").body["id"]

    assert files.forget_ended(pixel.customer_id) == 1

    assert not files.kept_file(looked_at).exists()
    assert files.kept_file(waiting).exists()
    assert admin.post(f"imports/{looked_at}/start/").status in {200, 409}


def test_imports__of_one_customer__keep_those_of_another_not_waiting(admin: Caller, pixel: Pixel) -> None:
    other = Pixel.objects.create(customer=Customer.objects.create(m=2, name="Other"), name="Theirs", user_key="UserId")
    first, second, theirs = (
        upload(admin, PEOPLE, f"pixel={one.pk}&name=p.csv").body["id"] for one in (pixel, pixel, other)
    )
    turns = services.ImportTurns()

    def done() -> list[int]:
        return [row.pk for row in Import.objects.filter(status=Import.Status.DONE).order_by("finished_at")]

    with turns.taking(pixel.customer_id) as is_ours:  # a thread is at work for the first customer
        assert is_ours
        assert services.work_off(turns)
        assert done() == [theirs]
        assert not services.work_off(turns)
    last = upload(admin, PEOPLE, f"pixel={other.pk}&name=q.csv").body["id"]
    while services.work_off(turns):
        pass
    assert done() == [theirs, last, first, second]
