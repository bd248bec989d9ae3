"""Settings that contradict each other give a warning with an id and a hint."""

from dataclasses import replace
from typing import Any

import pytest

from core import environment, extras
from core.console_environment import ConsoleEnvironment
from core.environment import DEFAULT_EDGE_URL, Environment
from dmphub.checks import check_settings

SOUND = replace(environment.read(None), edge_url="https://dmp.example", insecure_cookies=False)
LOCAL = replace(SOUND, edge_url=DEFAULT_EDGE_URL)


def found(settings: Any, environment: Environment) -> set[str | None]:
    settings.ENVIRONMENT = environment
    messages = check_settings(None)
    assert all(message.hint for message in messages)
    return {message.id for message in messages}


@pytest.mark.parametrize("environment", [SOUND, LOCAL, replace(LOCAL, insecure_cookies=True, debug=True)])
def test_check__settings_that_agree__says_nothing(settings: Any, environment: Environment) -> None:
    assert found(settings, replace(environment, allow_private_targets=False)) == set()


@pytest.mark.parametrize(
    ("changed", "id_"),
    [
        ({"insecure_cookies": True}, "dmphub.W001"),
        ({"edge_url": "http://dmp.example"}, "dmphub.W002"),
        ({"allow_private_targets": True}, "dmphub.W003"),
        ({"debug": True}, "dmphub.W004"),
        ({"console": ConsoleEnvironment(url="http://hub.example")}, "dmphub.W007"),
    ],
)
def test_check__settings_that_contradict_each_other__warns(settings: Any, changed: dict[str, Any], id_: str) -> None:
    assert found(settings, replace(SOUND, **{"allow_private_targets": False, **changed})) == {id_}


def test_check__a_missing_extra__says_what_does_not_work(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "is_installed", lambda extra: extra != "learning")
    assert found(settings, replace(SOUND, allow_private_targets=False)) == {"dmphub.W006"}


def test_missing_package__of_an_extra__is_named_with_its_extra() -> None:
    def need(package: str) -> None:
        with extras.explained():
            raise ModuleNotFoundError(name=package)

    with pytest.raises(extras.MissingExtraError, match=r"pip install 'dmphub\[files\]'"):
        need("paramiko.transport")
    with pytest.raises(ModuleNotFoundError):
        need("core.no_such_module")


def test_extras__are_those_of_the_distribution() -> None:
    assert all(extras.is_installed(extra) for extra in set(extras.PACKAGES.values()))
