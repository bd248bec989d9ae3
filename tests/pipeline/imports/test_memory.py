"""Imports of files that are made to fill the memory."""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

from core.environment import PROJECT_ROOT
from pipeline.models import Import
from tests.support.import_files import faults
from tests.support.shop import Shop

MEGABYTES = 130
MOST_MB = 200  # the process needs half of it itself


@pytest.mark.parametrize(
    ("format_", "header", "filling"),
    [
        ("csv", b"UserId,City\nC-1,Rome\n", b"x" * 1024),
        ("csv", b'UserId,City\nC-1,Rome\n"', b"x" * 1023 + b"\n"),
        ("ndjson", b'{"UserId": "C-1"}\n', b"[[" * 512),
    ],
)
def test_line__without_an_end__is_a_bad_row_and_fills_no_memory(
    shop: Shop, database_url: str, tmp_path: Path, format_: str, header: bytes, filling: bytes
) -> None:
    path = tmp_path / f"p.{format_}.gz"
    with gzip.open(path, "wb", compresslevel=0) as file:  # packed closely, it would be refused as too large unpacked
        file.write(header)
        for _ in range(MEGABYTES):
            file.write(filling * 1024)
    environment = os.environ | {"DATABASE_URL": database_url, "DMPHUB_SECRET_KEYS": ",".join(settings.SECRET_KEYS)}
    command = [sys.executable, "-m", "tests.support.importing", str(shop.pixel.pk), str(path), format_]

    done = subprocess.run(command, cwd=PROJECT_ROOT, env=environment, stdout=subprocess.PIPE, check=True)

    row = Import.objects.get()
    assert (row.status, row.stored) == ("done", 1)
    assert row.errors >= 1
    assert faults(row)
    assert int(done.stdout) < MOST_MB
