"""How a file is read, as callers of the API say it: options, another look, templates."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from core.models import Inbox
from pipeline.imports import files, services
from pipeline.models import Import, ImportTemplate
from profiles.models import Pixel
from tests.api.test_imports import upload
from tests.support.api_caller import Caller
from tests.support.tables import db

__all__ = ["db"]

PEOPLE = "Kundennr;Ort;Umsatz\nK-1;Köln;1,5\nK-2;Málaga;k.A.\n".encode("cp1252")
MAPPING = [
    {"from": "Kundennr", "to": "user"},
    {"from": "Ort", "to": "attribute.City"},
    {"from": "Umsatz", "to": "attribute.Revenue", "type": "number"},
]
OPTIONS: dict[str, Any] = {"encoding": "windows-1252", "decimal": ",", "mapping": MAPPING}


@pytest.fixture(autouse=True)
def _no_files_left() -> Iterator[None]:
    yield
    for path in files.folder().iterdir():
        path.unlink()


def query(pixel: Pixel, **more: Any) -> str:
    given = {name: value if isinstance(value, str | int) else json.dumps(value) for name, value in more.items()}
    return urlencode({"pixel": pixel.pk, "name": "kunden.csv", **given})


def test_dry_run__that_fails__can_be_read_in_another_way_until_it_is_right(admin: Caller, pixel: Pixel) -> None:
    row = upload(admin, PEOPLE, query(pixel, dry_run=1)).body["id"]
    services.work_off()
    failed = admin.get(f"imports/{row}/").body
    assert (failed["status"], failed["report"]) == ("failed", {"columns": ["Kundennr", "Ort", "Umsatz"]})
    assert admin.post(f"imports/{row}/start/").status == 409

    answer = admin.post(f"imports/{row}/look-again/", OPTIONS)
    assert (answer.status, answer.body["status"], answer.body["encoding"]) == (200, "waiting", "cp1252")
    services.work_off()

    looked = admin.get(f"imports/{row}/").body
    assert (looked["status"], looked["stored"], looked["refused"]) == ("done", 1, 1)
    assert looked["report"]["columns"] == ["Kundennr", "Ort", "Umsatz"]
    (sample,) = admin.get(f"imports/{row}/sample/").body
    assert (sample["row"], sample["line"], sample["ids"]) == (1, 2, [{"kind": "user", "value": "K-1"}])
    assert sample["attributes"] == {"UserId": "K-1", "City": "Köln", "Revenue": 1.5}

    assert admin.post(f"imports/{row}/look-again/", {"empty": "k.A."}).status == 200
    services.work_off()
    assert admin.get(f"imports/{row}/").body["refused"] == 0
    assert not Inbox.objects.exists()
    assert admin.post(f"imports/{row}/start/").body["status"] == "waiting"
    services.work_off()

    assert admin.get(f"imports/{row}/").body["stored"] == Inbox.objects.count() == 2
    assert admin.get(f"imports/{row}/sample/").body == []
    assert admin.post(f"imports/{row}/look-again/", {}).status == 409
    assert not files.kept_file(row).exists()


def test_template__named_by_an_upload__says_how_it_is_read(admin: Caller, pixel: Pixel) -> None:
    made = admin.post("imports/templates/", {"customer": pixel.customer_id, "name": "Kunden", **OPTIONS})
    assert (made.status, made.body["encoding"], made.body["mapping"][0]) == (201, "cp1252", MAPPING[0])
    template = made.body["id"]

    row = upload(admin, PEOPLE, query(pixel, template=template, empty="k.A.")).body
    services.work_off()

    assert (row["decimal"], row["empty"]) == (",", ["k.A."])
    assert admin.get(f"imports/{row['id']}/").body["stored"] == 2
    assert upload(admin, PEOPLE, query(pixel, template=template + 1)).places == [("template", "invalid")]
    assert admin.patch(f"imports/templates/{template}/", {"decimal": None}).body["decimal"] == ""
    assert ImportTemplate.objects.get().options["encoding"] == "cp1252"


@pytest.mark.parametrize(("option", "value"), [("encoding", "zlib"), ("delimiter", "ab"), ("mapping", "[{}]")])
def test_option__that_cannot_be__is_400_at_its_place_everywhere(
    admin: Caller, pixel: Pixel, option: str, value: str
) -> None:
    template = admin.post("imports/templates/", {"customer": pixel.customer_id, "name": "T"}).body["id"]
    answers = [
        upload(admin, PEOPLE, query(pixel, **{option: value})),
        admin.post("imports/templates/", {"customer": pixel.customer_id, "name": "N", option: value}),
        admin.patch(f"imports/templates/{template}/", {option: value}),
    ]

    assert [(answer.status, answer.places) for answer in answers] == [(400, [(option, "invalid")])] * 3
    assert not Import.objects.exists()
