"""The strictest settings are valid, and documented. `tests/faults/test_strictest.py` runs with them."""

import re

import pytest

from core import environment
from core.environment import PROJECT_ROOT
from local.demo.configuration import SIGNED, STRICT_CUSTOMER
from tests.support.strictest import strictest

DEVELOPMENT = {"DMPHUB_ALLOW_PRIVATE_TARGETS", "DMPHUB_INSECURE_COOKIES", "DMPHUB_DEBUG"}


def test_file__of_the_strictest_settings__is_a_valid_environment_without_anything_for_development(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("DMPHUB_HOME", str(tmp_path))
    example = (PROJECT_ROOT / ".env.example").read_text(encoding="utf-8")
    for name, value in strictest().items():
        assert f"\n{name}=" in example
        monkeypatch.setenv(name, value)

    found = environment.read(None)

    assert found.console.has_tls
    assert found.console.second_factor
    assert found.trusted_proxies.ranges
    assert (found.debug, found.insecure_cookies, found.allow_private_targets) == (False,) * 3
    flags = set(re.findall(r"^# (?:1|.*\b1\b).*\n(?:#.*\n)*(DMPHUB_[A-Z_]+)=0$", example, re.MULTILINE))
    assert flags >= DEVELOPMENT
    assert flags <= strictest().keys()


def test_demo__that_is_strict__sets_what_the_document_advises() -> None:
    document = (PROJECT_ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    advised = dict(re.findall(r"^\| an? [\w]+ \| `(\w+)` \| `(\w+)` \|$", document, re.MULTILINE))

    assert advised == {**STRICT_CUSTOMER, **SIGNED, "sync_auth": "signed"}
