"""Connectors of other distributions: the documentation's example, installed, found, proven."""

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.connectors.conformance import Conformance, NonConformanceError
from integrations.connectors.registry import GROUP, all_connectors
from integrations.validation import check_connector

PAGE = Path(__file__).resolve().parents[2] / "docs" / "connectors.md"
MOST_LINES = 60


def examples() -> list[str]:
    """The page's Python blocks."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


class SitePackages:
    """A folder on sys.path into which distributions are installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, source: str, *points: str) -> None:
        (self.folder / f"{name}.py").write_text(source, "utf-8")
        metadata = self.folder / f"{name}-1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", "utf-8")
        (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *points, ""]), "utf-8")
        importlib.invalidate_caches()
        all_connectors.cache_clear()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SitePackages]:
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)
    yield SitePackages(tmp_path)
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    all_connectors.cache_clear()


def checks(suite: type[Conformance]) -> list[Any]:
    return [getattr(suite(), name) for name in dir(suite) if name.startswith("test_")]


def test_worked_example__is_short_installed_and_conforming(site: SitePackages) -> None:
    connector, suite = examples()
    assert len([line for line in connector.splitlines() if line.strip()]) < MOST_LINES
    site.install("acme", connector, "acme = acme:Acme")

    assert all_connectors()["acme"].title == "Acme Ads"
    check_connector("acme", {}, {"token": "s3cret"})
    found: dict[str, Any] = {}
    exec(compile(suite, str(PAGE), "exec"), found)
    for check in checks(found["TestAcme"]):
        check()


def test_broken_distribution__takes_nothing_else_with_it(site: SitePackages, caplog: pytest.LogCaptureFixture) -> None:
    site.install("broken", "raise RuntimeError('no')", "broken = broken:Broken")
    site.install("other", "Other = 7", "other = other:Other")
    assert not {"broken", "other"} & all_connectors().keys()
    assert "http" in all_connectors()
    assert "broken" in caplog.text
    assert "other" in caplog.text


def test_key_of_this_tree__cannot_be_taken(site: SitePackages) -> None:
    ours = all_connectors()["http"]
    source = examples()[0].replace('"acme"', '"http"')
    site.install("thief", source, "http = thief:Acme")
    assert all_connectors()["http"] is ours


FAULTS = {
    "declaration": ('"Lists of users, a thousand a request."\n', '"no sentence"\n'),
    "unknown_fields": ("forbid_unknown_fields=True", "forbid_unknown_fields=False"),
    "secrets": ("/{path}", "/{path}?t={self.credentials.token}"),
    "members": ("for member in members]\n", "for member in members[:1]]\n"),
    "creation": ("except msgspec.DecodeError", "except ZeroDivisionError"),
    "failures": ("def _request", "def failure(self, response):\n        return RefusedError('no')\n\n    def _request"),
    "answers": ("def _request", "def succeeded(self, response):\n        return True\n\n    def _request"),
    "odd_ids": ("users}", "users} if all(len(u) < 200 for u in users) else 1 / 0"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_conformance__finds_what_is_wrong(site: SitePackages, name: str) -> None:
    """The example, broken in one place, no longer passes."""
    before, after = FAULTS[name]
    connector, suite = examples()
    assert before in connector
    site.install("acme", connector.replace(before, after), "acme = acme:Acme")
    found: dict[str, Any] = {}
    exec(compile(suite, str(PAGE), "exec"), found)
    (culprit,) = [check for check in checks(found["TestAcme"]) if f"test_{name}__" in check.__name__]
    with pytest.raises((NonConformanceError, ArithmeticError, ValueError)):
        culprit()
