"""Every page of the console, for everybody: what each role of the tenant, each role of another, and nobody is shown.

A page that is not in the table fails the test: whoever adds one says who may see it. What belongs to another tenant is
answered exactly as what does not exist, an analyst is shown nothing personal, and no page leads to one that is refused.
The whole product of pages and people is asked in `tests/faults`.
"""

from typing import Any

import pytest

from tests.console.matrix import API, pattern_of, wrong_answers
from tests.console.matrix_pages import PAGES
from tests.support.routes import routes


@pytest.mark.django_db
def test_page__for_everybody__is_as_the_table_says(settings: Any, tmp_path: Any) -> None:
    settings.FILES_ROOT = tmp_path

    wrong = wrong_answers(decisive=True)

    assert wrong == []


def test_every_page_of_the_console__is_in_the_table() -> None:
    found = {pattern_of(one.pattern) for one in routes() if not one.pattern.startswith(API)}

    assert found == {one.pattern for one in PAGES}
