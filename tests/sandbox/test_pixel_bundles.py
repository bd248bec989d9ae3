"""External data segments beside the S2S import."""

from typing import Any

import pytest
import requests

from tests.support.sandbox_process import SandboxProcess

BUNDLE: dict[str, Any] = {
    "name": "Buyers 10001",
    "pixel_type": "data",
    "provider_id": 15,
    "eligible": True,
    "advertiser_id": 23,
}


USER = ("foo", "foo-secret")


def post(
    sandbox: SandboxProcess, document: object, form: Any = None, user: tuple[str, str] | None = USER
) -> requests.Response:
    address = f"{sandbox.url}/api/v2.0/pixel_bundles"
    return requests.post(address, json=document, data=form, auth=user, timeout=5)


def held(sandbox: SandboxProcess) -> dict[str, Any]:
    found: dict[str, Any] = sandbox.held("mediamath-s2s", "foo")["pixel_bundles"]
    return found


def test_pixel_bundle__of_type_data__is_made_and_told(sandbox: SandboxProcess) -> None:
    made = post(sandbox, BUNDLE)
    assert made.status_code == 201
    number = made.json()["id"]
    assert held(sandbox) == {str(number): BUNDLE}
    told = requests.get(f"{sandbox.url}/api/v2.0/pixel_bundles/{number}", auth=USER, timeout=5)
    assert (told.status_code, told.json()) == (200, BUNDLE)


@pytest.mark.parametrize(
    "change",
    [
        {"name": ""},
        {"name": "n" * 65},
        {"pixel_type": "event"},
        {"provider_id": "15"},
        {"provider_id": 0},
        {"eligible": 1},
        {"agency_id": 12},
        {"advertiser_id": None},
        {"price": 1},
    ],
)
def test_pixel_bundle__breaks_a_rule__is_400(sandbox: SandboxProcess, change: dict[str, Any]) -> None:
    assert post(sandbox, BUNDLE | change).status_code == 400
    assert held(sandbox) == {}


def test_pixel_bundle__of_a_name_that_is_taken__is_409(sandbox: SandboxProcess) -> None:
    assert post(sandbox, BUNDLE).status_code == 201
    assert post(sandbox, BUNDLE).status_code == 409
    assert post(sandbox, BUNDLE | {"provider_id": 16}).status_code == 201


def test_pixel_bundle__without_the_users_password_or_as_a_form__is_refused(sandbox: SandboxProcess) -> None:
    assert post(sandbox, BUNDLE, user=None).status_code == 401
    assert post(sandbox, None, BUNDLE).status_code == 415
    assert requests.get(f"{sandbox.url}/api/v2.0/pixel_bundles/501", auth=USER, timeout=5).status_code == 404
