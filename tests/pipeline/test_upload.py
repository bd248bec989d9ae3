"""A long match table through the console's real door, which must not hold it in memory."""

import zlib
from collections.abc import Iterator

import pytest
import requests

from core.models import ApiKey, Inbox
from tests.support.console_process import console
from tests.support.shop import Shop

GOOD, BAD = 15_000, 400_000
PADDING = "x" * 150  # a line that is refused may be as long as one that is not
MOST_GROWTH_MB = 60


def long_table(platform: int) -> Iterator[bytes]:
    """Good lines among bad ones, in pieces that end anywhere."""
    lines = []
    for number in range(BAD):
        lines.append(f'{{"platform": {platform}, "user": "{PADDING}{number}"}}\n')
        if number < GOOD:
            lines.append(f'{{"platform": {platform}, "platform_user_id": "p{number}", "user": "u{number}"}}\n')
        if len(lines) >= 1_000:
            yield "".join(lines).encode()
            lines = []
    yield "".join(lines).encode()


def zipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_upload__of_a_long_chunked_table__is_answered_line_by_line_in_little_memory(
    shop: Shop, database_url: str, encoding: str
) -> None:
    platform = shop.platform().pl
    _, key = ApiKey.issue("upload", "marketer", shop.customer)
    body = long_table(platform) if encoding == "identity" else zipped(long_table(platform))
    headers = {"Authorization": f"Bearer {key}", "Content-Encoding": encoding}
    with console(database_url) as door:
        url = f"{door.url}/api/v1/mappings/upload/"
        assert requests.post(url, data=b"", headers=headers, timeout=30).ok  # everything is imported
        before = door.peak_mb()

        with requests.post(url, data=body, headers=headers, timeout=120, stream=True) as answer:
            told = sum(1 for line in answer.iter_lines() if line)

        assert (answer.status_code, told) == (200, BAD + 1)
        assert door.peak_mb() - before < MOST_GROWTH_MB
    assert Inbox.objects.count() == GOOD
