"""Exports through the API: streamed at once, and as files that are made once or on a schedule."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet
import pytest

from audiences import listing
from audiences.models import Audience
from core import clock
from core.models import AuditEntry
from pipeline.exports import files, runs
from pipeline.exports.services import plan
from pipeline.models import Export, ExportRun
from pipeline.privacy import delivered_files
from tests.support.api_caller import Caller, caller
from tests.support.shop import Shop, rule, somebody
from tests.support.tables import db

__all__ = ["db"]
FIELDS = "user_id,attribute.city,attribute.age,attribute.tags,since"


@pytest.fixture
def people(db: None, tmp_path: Path, settings: Any) -> Any:
    settings.FILES_ROOT = tmp_path
    found = Shop()
    for path, type_ in {"age": "integer", "city": "string", "tags": "string"}.items():
        found.attribute(path, type_)
    yield found
    found.absorber.close()


@pytest.fixture
def everybody(people: Shop) -> tuple[Audience, list[UUID]]:
    users = [somebody() for _ in range(3)]
    for user, city in zip(users, ["=cmd()", 'Zürich, "Süd"', ""], strict=True):
        people.event(user, {"city": city, "age": 2**53 + 1, "tags": ["a", "b"]})
    people.absorb()
    return people.audience("seen", rule(f"pixel.{people.pixel.id}.count", ">=", 1)), users


def rows_of(text: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.decode(), newline="")))


def test_export__as_csv__holds_every_member_once_and_no_formula(
    everybody: tuple[Audience, list[UUID]], admin: Caller
) -> None:
    audience, users = everybody
    answer = admin.get(f"audiences/{audience.pk}/export/?fields={FIELDS}")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/csv")
    rows = {row["uuid"]: row for row in rows_of(answer.body)}
    assert set(rows) == {str(user) for user in users}
    assert [rows[str(user)]["city"] for user in users] == ['"=cmd()"', 'Zürich, "Süd"', ""]
    assert {(row["age"], row["tags"]) for row in rows.values()} == {(str(2**53 + 1), '["a","b"]')}
    entry = AuditEntry.objects.get(action="export")
    assert (entry.object, entry.object_number, entry.after) == (
        "audience",
        str(audience.pk),
        {"format": "csv", "fields": FIELDS.split(",")},
    )


def test_export__as_parquet__has_types(everybody: tuple[Audience, list[UUID]], admin: Caller) -> None:
    audience, users = everybody
    answer = admin.get(f"audiences/{audience.pk}/export/?format=parquet&fields={FIELDS}")
    rows = pyarrow.parquet.read_table(io.BytesIO(answer.body)).to_pylist()
    assert {row["uuid"] for row in rows} == {str(user) for user in users}
    assert {(row["age"], tuple(row["tags"])) for row in rows} == {(2**53 + 1, ("a", "b"))}
    assert {row["city"] for row in rows} == {"=cmd()", 'Zürich, "Süd"', None}


@pytest.mark.parametrize("query", ["format=xlsx", "fields=attribute.nothing", "fields=user_id,user_id", "columns=x"])
def test_export__of_what_there_is_not__is_refused(
    everybody: tuple[Audience, list[UUID]], admin: Caller, query: str
) -> None:
    assert admin.get(f"audiences/{everybody[0].pk}/export/?{query}").status in {400, 404}


def test_export__by_an_analyst__is_refused_and_so_is_a_kept_file(
    everybody: tuple[Audience, list[UUID]], admin: Caller
) -> None:
    made = made_export(admin, everybody[0])
    work()
    analyst = caller("analyst")
    assert analyst.get(f"audiences/{everybody[0].pk}/export/").status == 403
    assert analyst.get(f"{made}download/").status == 403
    assert analyst.get(made).status == 200


def made_export(admin: Caller, audience: Audience, **more: Any) -> str:
    answer = admin.post("exports/", {"audience": audience.pk, "name": "seen", "fields": ["user_id"], **more})
    assert answer.status == 201, answer.body
    return f"exports/{answer.body['id']}/"


def work() -> None:
    Audience.objects.filter(status="building").update(status="live")
    while runs.work_off():
        pass


def test_export__once__is_kept_and_can_be_downloaded(everybody: tuple[Audience, list[UUID]], admin: Caller) -> None:
    audience, users = everybody
    made = made_export(admin, audience)
    assert admin.get(f"{made}download/").status == 404
    work()

    (run,) = admin.get(f"{made}runs/").body["results"]
    assert (run["status"], run["rows"], run["kept"], run["error"]) == ("done", 3, True, "")
    answer = admin.get(f"{made}download/?run={run['id']}")
    assert {row["uuid"] for row in rows_of(answer.body)} == {str(user) for user in users}
    assert files.kept_file(1, run["id"]).stat().st_mode & 0o777 == 0o600
    assert admin.get(made).body["due_at"] is None
    assert AuditEntry.objects.filter(action="download", object="export").count() == 1

    assert admin.delete(made).status == 204
    assert not files.kept_file(1, run["id"]).exists()


def test_export__into_a_folder__lies_where_the_platform_says(
    people: Shop, everybody: tuple[Audience, list[UUID]], admin: Caller, tmp_path: Path
) -> None:
    place = people.platform("drop", connector="file", settings={"target": "folder", "path": "out"})
    made = made_export(admin, everybody[0], platform=place.pk)
    work()
    (run,) = admin.get(f"{made}runs/").body["results"]
    file = tmp_path / "1" / str(place.pk) / "out" / run["file_name"]
    assert len(rows_of(file.read_bytes())) == 3
    assert (run["kept"], run["file_name"].startswith("seen-")) == (False, True)

    files.forget_of_erased(1)  # somebody of the customer is erased
    assert not file.exists()


def test_export__to_a_platform_that_takes_no_files__is_refused(
    people: Shop, everybody: tuple[Audience, list[UUID]], admin: Caller
) -> None:
    other = people.platform("no files")
    answer = admin.post("exports/", {"audience": everybody[0].pk, "name": "x", "platform": other.pk})
    assert answer.places == [("platform", "invalid")]


def test_schedule__slots_that_were_missed__have_one_run(
    everybody: tuple[Audience, list[UUID]], admin: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = datetime.now(UTC).replace(microsecond=0)
    made = made_export(admin, everybody[0], every_minutes=60, starts_at=start.isoformat())
    plan(start)
    plan(start)
    plan(start + timedelta(hours=5, minutes=1))
    assert list(ExportRun.objects.order_by("slot").values_list("slot", flat=True)) == [
        start,
        start + timedelta(hours=5),
    ]
    assert Export.objects.get().due_at == start + timedelta(hours=6)

    admin.patch(made, {"paused": True})
    plan(start + timedelta(hours=9))
    assert ExportRun.objects.count() == 2
    monkeypatch.setattr(clock, "ahead", timedelta(hours=9))
    admin.patch(made, {"paused": False, "every_minutes": 30})
    assert (Export.objects.get().due_at or start) > start + timedelta(hours=9)


def test_run__whose_process_died__is_begun_anew_and_given_up_in_the_end(
    everybody: tuple[Audience, list[UUID]], admin: Caller
) -> None:
    made = made_export(admin, everybody[0])
    plan(clock.now())
    ExportRun.objects.update(status="running", token=somebody(), attempts=1)
    work()
    assert admin.get(f"{made}runs/").body["results"][0]["status"] == "done"

    ExportRun.objects.update(status="running", token=somebody(), attempts=runs.MOST_ATTEMPTS)
    work()
    (run,) = admin.get(f"{made}runs/").body["results"]
    assert (run["status"], "never ended" in run["error"]) == ("failed", True)


def test_run__while_somebody_is_erased__is_thrown_away_and_begun_anew(
    everybody: tuple[Audience, list[UUID]], admin: Caller
) -> None:
    made = made_export(admin, everybody[0])
    Audience.objects.update(status="live")
    plan(clock.now())
    begun = runs.begin(ExportRun.objects.get().pk)
    assert begun is not None
    files.forget_of_erased(1)
    runs.work(begun)
    (run,) = ExportRun.objects.all()
    assert (run.status, run.kept, files.kept_file(1, run.pk).exists()) == ("waiting", False, False)

    ExportRun.objects.update(again_at=None)
    work()
    assert admin.get(f"{made}download/").status == 200
    assert files.forget_of_erased(1) == 1
    assert admin.get(f"{made}download/").status == 404


def test_run__of_an_audience_that_is_being_built__waits(people: Shop, admin: Caller) -> None:
    audience = listing.create_static(people.customer, "empty")
    made_export(admin, audience)
    assert not runs.work_off()
    assert ExportRun.objects.get().status == "waiting"


def test_kept_files__go_with_the_log_and_with_their_runs(everybody: tuple[Audience, list[UUID]], admin: Caller) -> None:
    for _ in range(2):
        made_export(admin, everybody[0], name=f"n{_}")
    work()
    old, gone = ExportRun.objects.order_by("id")
    delivered_files.delete_older(1, clock.now() + timedelta(seconds=1))
    assert not files.kept_file(1, old.pk).exists()
    files.kept_file(1, gone.pk).write_text("left")
    gone.export.delete()
    files.sweep()
    assert not files.kept_file(1, gone.pk).exists()
