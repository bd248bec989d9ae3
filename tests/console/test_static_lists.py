"""The console's pages of static audiences and of exports."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from audiences import listing
from audiences.models import Audience, ListChange
from core.models import Customer
from pipeline.exports import runs
from pipeline.models import Export, ExportRun
from tests.support.shop import Shop, somebody
from tests.support.tables import db

__all__ = ["db"]

LISTS, EXPORTS = "/lists/", "/exports/"


@pytest.fixture
def people(db: None, tmp_path: Path, settings: Any) -> Any:
    settings.FILES_ROOT = tmp_path
    found = Shop()
    yield found
    found.absorber.close()


def text_of(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def test_list__made_pasted_and_uploaded__shows_what_became_of_it(console: Client, people: Shop) -> None:
    known = somebody()
    people.event(known)
    people.event(ids=[("user", "C-1")], data={"UserId": "C-1"})
    made = console.post(LISTS, {"customer": 1, "name": "VIPs"})
    vips = Audience.objects.get(kind="static")
    assert (made.status_code, made["Location"]) == (302, f"/lists/{vips.pk}/")

    pasted = console.post(f"/lists/{vips.pk}/", {"action": "add", "kind": "users", "ids": f"{known}\nnot one"})
    assert "2 is no user id of ours" in text_of(pasted)
    file = SimpleUploadedFile("ids.txt", b"\xef\xbb\xbfC-1\r\nC-2\r\n")
    assert console.post(f"/lists/{vips.pk}/", {"action": "add", "kind": "user_keys", "file": file}).status_code == 302
    people.absorb()

    assert "2 members" in text_of(console.get(f"/lists/{vips.pk}/"))
    assert sorted(listing.counts_of(ListChange.objects.values_list("pk", flat=True)).values(), key=str) == [
        listing.ChangeCounts(changed=1, unchanged=0, unknown=0),
        listing.ChangeCounts(changed=1, unchanged=0, unknown=1),
    ]
    assert "VIPs" in text_of(console.get(LISTS))
    assert console.get(f"/audiences/audience/{vips.pk}/change/").headers["Location"] == f"/lists/{vips.pk}/"
    assert "on the audience's own list" in text_of(console.get(f"/audiences/{vips.pk}/why/?id={known}")).replace(
        "&#x27;", "'"
    )


@pytest.mark.parametrize("sent", [{}, {"ids": "x", "file": SimpleUploadedFile("a.txt", b"x")}, {"ids": "x\n" * 10_001}])
def test_list__nothing_or_too_much__is_refused(console: Client, people: Shop, sent: Any) -> None:
    vips = listing.create_static(people.customer, "VIPs")
    answer = console.post(f"/lists/{vips.pk}/", {"action": "add", "kind": "user_keys", **sent})
    assert answer.status_code == 200
    assert not ListChange.objects.exists()


def test_export__made_on_its_page__is_downloaded_there(console: Client, people: Shop) -> None:
    vips = listing.create_static(people.customer, "VIPs")
    Audience.objects.update(status="live")
    given = {"audience": vips.pk, "name": "vips", "format": "csv", "every_minutes": "1440", "fields_": "user_id\nsince"}
    assert console.post(EXPORTS, given).status_code == 302
    while runs.work_off():
        pass
    (run,) = ExportRun.objects.all()
    assert f'href="/exports/files/{run.pk}/"' in console.get(EXPORTS).content.decode()
    file: Any = console.get(f"/exports/files/{run.pk}/")
    assert file.getvalue() == b"uuid,since\r\n"

    for change, paused in (("pause", True), ("go on", False)):
        console.post(EXPORTS, {"change": change, "export": run.export_id})
        assert Export.objects.get().paused is paused
    console.post(EXPORTS, {"change": "run", "export": run.export_id})
    assert ExportRun.objects.count() == 2
    console.post(EXPORTS, {"change": "delete", "export": run.export_id})
    assert not Export.objects.exists()


def test_export__with_a_field_that_there_is_not__says_so(console: Client, people: Shop) -> None:
    vips = listing.create_static(Customer.objects.get(), "VIPs")
    given = {"audience": vips.pk, "name": "../x", "format": "csv", "fields_": "attribute.nothing"}
    words = text_of(console.post(EXPORTS, given))
    assert "attribute.nothing: there is user_id" in words
    assert "files are called after it" in words
    assert not Export.objects.exists()
