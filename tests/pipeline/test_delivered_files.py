"""Files in the hub's own folder: apart by customer and platform, for the hub's account only, and not for ever."""

import gzip
import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors.files import FolderDestination
from integrations.errors import MisconfiguredError
from integrations.uploads import folder
from integrations.uploads.folder import FileOwner, folder_of, upload
from pipeline.privacy import delivered_files

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OURS, THEIRS, ANOTHER = FileOwner(1, 7), FileOwner(2, 7), FileOwner(1, 8)


@pytest.fixture
def files(settings: Any, tmp_path: Path) -> Path:
    settings.FILES_ROOT = tmp_path / "files"
    return tmp_path / "files"


def deliver(owner: FileOwner, lines: str, name: str = "f.tsv.gz", path: str = "in") -> Path:
    draft = folder.drafts() / "draft"
    draft.write_bytes(gzip.compress(lines.encode()) if name.endswith(".gz") else lines.encode())
    upload(FolderDestination(path), draft, name, owner)
    return folder_of(path, owner) / name


def lines_of(file: Path) -> list[str]:
    return gzip.decompress(file.read_bytes()).decode().splitlines()


def test_files__of_the_same_name__are_apart_by_customer_and_platform(files: Path) -> None:
    for owner, text in ((OURS, "a\n"), (THEIRS, "b\n"), (ANOTHER, "c\n")):
        deliver(owner, text)

    assert {str(one.relative_to(files)): lines_of(one) for one in files.rglob("*.gz")} == {
        "1/7/in/f.tsv.gz": ["a"],
        "2/7/in/f.tsv.gz": ["b"],
        "1/8/in/f.tsv.gz": ["c"],
    }


def test_files_and_folders__are_for_the_hubs_own_account_only(files: Path) -> None:
    before = os.umask(0)
    try:
        deliver(OURS, "a\n")
    finally:
        os.umask(before)

    modes = {stat.S_IMODE(one.stat().st_mode) for one in files.rglob("*") if one.is_dir()}
    assert modes | {stat.S_IMODE(files.stat().st_mode)} == {0o700}
    assert {stat.S_IMODE(one.stat().st_mode) for one in files.rglob("*.gz")} == {0o600}


@pytest.mark.parametrize("path", ["../8/in", "../../2/7", "/../../2", "in/../../8", "..", "a\0b", "link/x"])
def test_path__out_of_the_platforms_folder__is_refused(files: Path, path: str) -> None:
    deliver(THEIRS, "b\n")
    deliver(OURS, "a\n", path="")
    (files / "1" / "7" / "link").symlink_to(files / "2" / "7")

    with pytest.raises(MisconfiguredError):
        deliver(OURS, "x\n", path=path)

    assert lines_of(files / "2" / "7" / "in" / "f.tsv.gz") == ["b"]


def test_draft_of_an_upload_that_died__is_replaced__also_a_link(files: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    deliver(OURS, "a\n")
    (files / "1" / "7" / "in" / ".f.tsv.gz.part").symlink_to(tmp_path / "victim")

    assert lines_of(deliver(OURS, "b\n")) == ["b"]
    assert (tmp_path / "victim").read_text() == "untouched"


def test_files__older_than_the_log_is_kept__are_deleted_of_that_customer_only(files: Path) -> None:
    old, new, theirs = deliver(OURS, "a\n"), deliver(OURS, "a\n", "g.tsv.gz"), deliver(THEIRS, "a\n")
    for file in (old, theirs):
        os.utime(file, (0, (NOW - timedelta(days=31)).timestamp()))
    os.utime(new, (0, (NOW - timedelta(days=29)).timestamp()))

    assert delivered_files.delete_older(1, NOW - timedelta(days=30)) == 1

    assert (old.exists(), new.exists(), theirs.exists()) == (False, True, True)


@pytest.mark.usefixtures("files")
def test_erased_ids__are_no_line_any_more__and_others_stay() -> None:
    mine = deliver(OURS, "x1\tadd\nx12\tadd\nother\tremove\nx1\tremove\n")
    plain, theirs = deliver(ANOTHER, "x1\nx2\n", "f.tsv"), deliver(THEIRS, "x1\tadd\n")
    os.utime(mine, (0, 1_000))

    assert delivered_files.forget(1, ["x1", "", "gone"]) == 2

    assert lines_of(mine) == ["x12\tadd", "other\tremove"]
    assert (mine.stat().st_mtime, stat.S_IMODE(mine.stat().st_mode)) == (1_000, 0o600)
    assert plain.read_text() == "x2\n"
    assert lines_of(theirs) == ["x1\tadd"]
    assert delivered_files.forget(1, ["x1"]) == 0


def test_file_that_is_none_of_ours__is_left_alone(files: Path) -> None:
    file = deliver(OURS, "a\n")
    file.write_bytes(b"no gzip stream, and x1")

    assert delivered_files.forget(1, ["x1"]) == 0
    assert file.read_bytes() == b"no gzip stream, and x1"
    assert [one.name for one in file.parent.iterdir()] == [file.name]


@given(st.lists(st.sampled_from(["x1", "x12", "1", "é", "y"]), max_size=8), st.sampled_from(["x1", "1", "é"]))
def test_forgotten_lines__are_exactly_those_of_the_id(tmp_path_factory: Any, ids: list[str], erased: str) -> None:
    file = tmp_path_factory.mktemp("files") / "f.tsv"
    file.write_text("".join(f"{one}\tadd\n" for one in ids), encoding="utf-8")

    delivered_files.rewrite(file, [erased.encode()])

    assert file.read_text(encoding="utf-8") == "".join(f"{one}\tadd\n" for one in ids if one != erased)


def test_folders__of_customers_and_platforms_that_are_no_more__are_deleted(files: Path) -> None:
    for owner in (OURS, THEIRS, ANOTHER):
        deliver(owner, "a\n")

    delivered_files.delete_ownerless({1: {8}, 3: set()})

    assert [str(one.relative_to(files)) for one in files.rglob("*.gz")] == ["1/8/in/f.tsv.gz"]


def test_round_of_a_sender_that_was_killed__is_deleted_after_a_day(files: Path) -> None:
    for name, age in (("old", 25), ("new", 1)):
        (folder.drafts() / name).mkdir()
        os.utime(folder.drafts() / name, (0, (NOW - timedelta(hours=age)).timestamp()))

    delivered_files.delete_abandoned(NOW - timedelta(days=1))

    assert [one.name for one in (files / ".drafts").iterdir()] == ["new"]
