"""Write the table of docs/connectors/README.md anew from what the connectors declare."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.environment import PROJECT_ROOT
from integrations import matrix

BEGIN, END = "<!-- matrix: written by manage.py connector_matrix -->\n", "<!-- end of matrix -->\n"


def page() -> Path:
    return PROJECT_ROOT / "docs" / "connectors" / "README.md"


def renewed(text: str) -> str:
    """The page with today's table between its two marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{matrix.markdown()}\n{END}{after}"


class Command(BaseCommand):
    help = __doc__ or ""
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fail where the page is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        if not page().is_file():
            raise CommandError(f"there is no {page()}: this command is for a checkout of the source")
        text = page().read_text("utf-8")
        if options["check"] and renewed(text) != text:
            raise SystemExit(f"{page()} is out of date: run manage.py connector_matrix")
        page().write_text(renewed(text), "utf-8")
