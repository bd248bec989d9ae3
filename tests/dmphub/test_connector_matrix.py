"""The table in the documentation is what the connectors declare, and each has its page, folder and tests."""

from pathlib import Path

import pytest

from dmphub.management.commands.connector_matrix import page, renewed
from integrations.connectors.registry import all_connectors

ROOT = Path(__file__).resolve().parents[2]


def test_matrix__is_up_to_date() -> None:
    text = page().read_text("utf-8")
    assert renewed(text) == text


@pytest.mark.parametrize("key", sorted(all_connectors()))
def test_connector__has_its_folder_tests_and_page(key: str) -> None:
    assert (ROOT / "integrations" / "connectors" / key / "connector.py").exists()
    assert list((ROOT / "tests" / "integrations" / "connectors" / key).glob("test_*.py"))
    assert f"`{key}`" in (ROOT / "docs" / "connectors" / f"{key}.md").read_text("utf-8")
