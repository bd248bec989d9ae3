"""Looks for texts in everything that the hub keeps: all tables, all of Redis, all files of its home."""

from collections.abc import Collection
from pathlib import Path

from django.conf import settings
from django.db import connection
from redis import Redis

TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
# PostgreSQL's pages and its write-ahead log keep for a while what was deleted; what it says is in `services.log`
PASSED_OVER = "postgres"


def traces(texts: Collection[str]) -> set[tuple[str, str]]:
    """Returns the (place, text)s that are anywhere. Bytes are found also in hexadecimal; case does not matter."""
    if not texts:
        return set()
    places = {place: content.lower() for place, content in (_tables() | _redis() | _files()).items()}
    found = set()
    for place, content in places.items():
        for text in texts:
            if text.lower() in content or text.encode().hex() in content:
                found.add((place, text))
    return found


def _tables() -> dict[str, str]:
    contents: dict[str, str] = {}
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        names = [name for (name,) in cursor.fetchall()]
        rows = " UNION ALL ".join(f"SELECT '{name}', row_to_json(t)::text FROM \"{name}\" t" for name in names)
        cursor.execute(rows)
        for name, row in cursor.fetchall():
            contents[name] = contents.get(name, "") + row + "\n"
    return contents


def _redis() -> dict[str, str]:
    with Redis.from_url(settings.REDIS_URL) as client:
        return {f"redis {key!r}": repr(key) + repr(client.dump(key)) for key in client.scan_iter()}


def _files() -> dict[str, str]:
    home = Path(settings.ENVIRONMENT.home)
    paths = [path for path in home.rglob("*") if path.relative_to(home).parts[0] != PASSED_OVER and path.is_file()]
    return {str(path): path.read_bytes().decode(errors="replace") for path in paths}
