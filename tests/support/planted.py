"""Secrets and personal data that can be recognised, and must not be seen in answers or in what is logged."""

from collections.abc import Mapping
from pathlib import Path

# PostgreSQL's pages (what it says is in `services.log`), the keys themselves, and what the hub keeps for importers
NO_LOGS = ("postgres", "redis", "secret_keys", "console_password", "files", "imports", "static")


class Planted:
    """`texts`: by what they are called in reports."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._given = texts
        self._texts = {name: text.encode() for name, text in texts.items()}

    def and_also(self, texts: Mapping[str, str]) -> "Planted":
        return Planted({**self._given, **texts})

    def seen_in(self, content: bytes, sent: bytes = b"") -> list[str]:
        """Returns the names of what is in `content`, but for what its reader `sent`."""
        return [name for name, text in self._texts.items() if text in content and text not in sent]

    def logged(self, *places: Path) -> list[str]:
        """Returns what is in any file there, a folder's own and those beneath it, that is no data of the hub's."""
        return [f"{name} in {path}" for path in _logs(places) for name in self.seen_in(path.read_bytes())]


def _logs(places: tuple[Path, ...]) -> list[Path]:
    found = [place for place in places if place.is_file()]
    for home in places:
        found += [path for path in home.rglob("*") if path.relative_to(home).parts[0] not in NO_LOGS and path.is_file()]
    return found
