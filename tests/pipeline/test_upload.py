"""A long match table through the console's real door, which must not hold it in memory."""

import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from django.conf import settings

from core.environment import PROJECT_ROOT
from core.models import ApiKey, Inbox
from tests.support.edge_process import free_port, until
from tests.support.shop import Shop

GOOD, BAD = 15_000, 400_000
PADDING = "x" * 150  # a line that is refused may be as long as one that is not
MOST_GROWTH_MB = 60


class Console:
    """`python -m dmphub.console_server` on the test database."""

    def __init__(self, process: "subprocess.Popen[bytes]", port: int) -> None:
        self._process = process
        self.url = f"http://127.0.0.1:{port}"

    def peak_mb(self) -> int:
        """The most memory that any of its processes has ever held."""
        return max(_peak_mb(pid) for pid in [self._process.pid, *_children(self._process.pid)])

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz", timeout=5).ok
        except requests.ConnectionError:
            return False


@contextmanager
def console(database_url: str) -> Iterator[Console]:
    port = free_port()
    environment = os.environ | {"DATABASE_URL": database_url, "DMPHUB_SECRET_KEYS": ",".join(settings.SECRET_KEYS)}
    process = subprocess.Popen(
        [sys.executable, "-m", "dmphub.console_server", "--port", str(port)], cwd=PROJECT_ROOT, env=environment
    )
    try:
        found = Console(process, port)
        until(found.answers, 30)
        yield found
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def _peak_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


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
