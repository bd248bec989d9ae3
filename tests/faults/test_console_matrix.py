"""Every page of the console, asked by everybody: the whole product, of which `tests/console` asks what decides."""

from typing import Any

import pytest

from tests.console.matrix import wrong_answers


@pytest.mark.django_db
def test_page__for_everybody__is_as_the_table_says(settings: Any, tmp_path: Any) -> None:
    settings.FILES_ROOT = tmp_path

    assert wrong_answers(decisive=False) == []
