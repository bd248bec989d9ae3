"""The console's log: whom somebody looked for does not stand in it."""

from pathlib import Path

import pytest
import requests

from core.models import ApiKey, Customer
from tests.support.console_process import console
from tests.support.edge_process import until
from tests.support.shop import somebody
from tests.support.tables import db

__all__ = ["db"]


@pytest.mark.usefixtures("db")
def test_log__of_users_who_were_looked_for__holds_no_id(database_url: str, tmp_path: Path) -> None:
    shop = Customer.objects.create(m=1, name="Shop")
    _, key = ApiKey.issue("a test", ApiKey.Role.ADMIN, shop)
    user, log = somebody(), tmp_path / "console.log"
    headers = {"Authorization": f"Bearer {key}"}

    with console(database_url, log) as door:
        for address in (
            f"api/v1/users/{user}/",
            f"api/v1/users/{user}/export/",
            f"api/v1/nowhere/{user}/",
            "api/v1/nowhere/ann@example.org",
        ):
            assert requests.get(f"{door.url}/{address}?customer=1", headers=headers, timeout=10).status_code == 404
        until(lambda: log.read_text(encoding="utf-8").count("Not Found") >= 4)

    written = log.read_text(encoding="utf-8")
    assert str(user) not in written
    assert "ann@example.org" not in written
    assert "/api/v1/users/<uuid:user_id>/" in written  # which page it was is no secret
