"""The console's page of imports: upload, look, import, cancel."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from core import clock
from core.models import Customer, Inbox
from integrations.models import Platform
from pipeline.imports import files, services
from pipeline.models import Import, ImportSchedule, ImportTemplate
from profiles.models import Pixel
from tests.support.console_people import browser_of, person
from tests.support.tables import db

__all__ = ["db"]

PEOPLE = b"UserId,<b>City</b>\nC-1,Rome\n,nobody\n"


@pytest.fixture
def pixel(db: None) -> Iterator[Pixel]:
    shop = Customer.objects.create(m=1, name="Shop")
    yield Pixel.objects.create(customer=shop, name="Front page", user_key="UserId")
    User.objects.all().delete()
    for path in files.folder().iterdir():
        path.unlink()


def upload(console: Client, pixel: Pixel, name: str = "<i>people</i>.csv", **more: Any) -> str:
    file = SimpleUploadedFile(name, PEOPLE)
    return console.post("/imports/", {"pixel": pixel.pk, "file": file, **more}, follow=True).content.decode()


def test_upload__to_look_at_first__shows_what_would_change_and_then_imports(console: Client, pixel: Pixel) -> None:
    page = upload(console, pixel, dry_run="on")
    assert "is uploaded" in page
    assert 'hx-trigger="every 2s"' in page
    services.work_off()

    page = console.get("/imports/").content.decode()
    assert "1 new users" in page
    assert "&lt;b&gt;City&lt;/b&gt;" in page
    assert 'hx-trigger="every 2s"' not in page
    assert not Inbox.objects.exists()

    row = Import.objects.get()
    page = console.post("/imports/", {"import": row.pk, "change": "start"}, follow=True).content.decode()
    assert "is under way" in page
    services.work_off()

    page = console.get("/imports/").content.decode()
    assert Inbox.objects.count() == 1
    assert f"/imports/{row.pk}/errors/" in page
    response: Any = console.get(f"/imports/{row.pk}/errors/")
    assert b"names nobody" in b"".join(response.streaming_content)


def test_import__cancelled_in_the_console__is_cancelled(console: Client, pixel: Pixel) -> None:
    upload(console, pixel)
    row = Import.objects.get()

    console.post("/imports/", {"import": row.pk, "change": "cancel"})
    page = console.post("/imports/", {"import": row.pk, "change": "cancel"}, follow=True).content.decode()

    row.refresh_from_db()
    assert row.status == "cancelled"
    assert "it has ended already" in page


def test_upload__whose_name_says_nothing__is_told_at_its_field(console: Client, pixel: Pixel) -> None:
    assert "does not say what it is" in upload(console, pixel, "people.xls")
    assert not Import.objects.exists()


def test_schedules__of_the_customers_that_one_sees__are_listed_with_what_is_wrong(pixel: Pixel) -> None:
    platform = Platform.objects.create(customer=pixel.customer, name="Drop", connector="file")
    of = {"customer": pixel.customer, "pixel": pixel, "platform": platform, "due_at": clock.now()}
    ImportSchedule.objects.create(name="Nightly <i>", error="the server does not accept the log-in", **of)
    rival = Customer.objects.create(m=2, name="Rival")

    page = browser_of(person("analyst", pixel.customer)).get("/imports/").content.decode()
    assert "Nightly &lt;i&gt;" in page
    assert "the server does not accept the log-in" in page
    assert "Nightly" not in browser_of(person("analyst", rival, name="r")).get("/imports/").content.decode()


def test_imports__by_one_who_may_only_look__shows_no_form_and_takes_nothing(pixel: Pixel) -> None:
    client = browser_of(person("analyst"))

    assert 'type="file"' not in client.get("/imports/").content.decode()
    file = SimpleUploadedFile("p.csv", PEOPLE)
    assert client.post("/imports/", {"pixel": pixel.pk, "file": file}).status_code == 403


def test_dry_run__on_its_page__shows_rows_as_they_would_be_kept_and_is_read_in_another_way(
    console: Client, pixel: Pixel
) -> None:
    table = SimpleUploadedFile("kunden.csv", "Nr;<b>Ort</b>;Umsatz\nK-1;Köln;1,5\n".encode("cp1252"))
    console.post("/imports/", {"pixel": pixel.pk, "file": table, "dry_run": "on"})
    services.work_off()
    row = Import.objects.get()
    page = console.get(f"/imports/{row.pk}/").content.decode()
    assert "no column names the user" in page
    assert "&lt;b&gt;Ort&lt;/b&gt;" in page

    chosen = {"encoding": "cp1252", "decimal": ",", "constants": "attribute.Source = shop", "template": "Kunden"}
    targets = {"to-0": "user", "to-1": "attribute.", "name-1": "City", "to-2": "keep", "type-2": "number"}
    assert (
        "looked at once more"
        in console.post(f"/imports/{row.pk}/", {**chosen, **targets}, follow=True).content.decode()
    )
    services.work_off()

    page = console.get(f"/imports/{row.pk}/").content.decode()
    assert all(text in page for text in ("K-1", "Köln", "1.5", "shop"))
    assert 'value="City"' in page
    row.refresh_from_db()
    assert (row.stored, row.options["mapping"][0]) == (1, {"from": "Nr", "to": "user"})
    assert ImportTemplate.objects.get().options == row.options
    refused = console.post(f"/imports/{row.pk}/", {"dates": "sometime", "to-0": "user"}).content.decode()
    assert 'role="alert"' in refused
    assert "K-1" not in browser_of(person("analyst")).get(f"/imports/{row.pk}/").content.decode()

    file = SimpleUploadedFile("more.csv", "Nr;<b>Ort</b>;Umsatz\nK-2;Ulm;2\n".encode("cp1252"))
    console.post("/imports/", {"pixel": pixel.pk, "file": file, "template": ImportTemplate.objects.get().pk})
    assert Import.objects.latest("pk").options == row.options
