"""The guides for contributors name files that exist, and `make help` names every target."""

import re
from pathlib import Path

import pytest

from core.environment import PROJECT_ROOT

TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
FAMILIES = 60
PATH = re.compile(r"`((?:[\w.-]+/)+[\w.-]*|[\w-]+\.(?:toml|lock))`")


@pytest.mark.parametrize("guide", ["CONTRIBUTING.md", "SECURITY.md", "tests/support/README.md"])
def test_guide__paths_that_it_names__exist(guide: str) -> None:
    named = set(PATH.findall((PROJECT_ROOT / guide).read_text("utf-8")))
    below = [PROJECT_ROOT, (PROJECT_ROOT / guide).parent]
    assert [path for path in sorted(named) if not any((folder / path).exists() for folder in below)] == []


def test_support_page__names_every_helper() -> None:
    folder = PROJECT_ROOT / "tests" / "support"
    page = (folder / "README.md").read_text("utf-8")
    helpers = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert [name for name in sorted(helpers) if f"`{name}`" not in page] == []


def test_make_help__names_every_target() -> None:
    makefile = Path(PROJECT_ROOT / "Makefile").read_text("utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert sorted(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)) == sorted(targets.split())


def test_reliability_page__names_tests_that_exist_for_all_families_of_faults() -> None:
    rows = (PROJECT_ROOT / "docs" / "reliability.md").read_text("utf-8").splitlines()
    named = {found for row in rows if row.startswith("|") for found in TEST.findall(row)}
    missing = [f"{path}::{name}" for path, name in sorted(named) if not _has_test(PROJECT_ROOT / path, name)]
    assert missing == []
    assert len(named) >= FAMILIES


def _has_test(path: Path, name: str) -> bool:
    return path.is_file() and f"def {name}(" in path.read_text("utf-8")
