"""One file a segment, by SFTP: 001_6c0121e2456e8832.txt."""

import pytest

from tests.support.sandbox_process import SandboxProcess
from tests.support.sandbox_uploads import put, sftp

NAME = "Mapp_dmp_12345_2026_1_2_23_59.tsv.gz"


def test_one_column__adds__then_a_column_of_operations_removes(sandbox: SandboxProcess) -> None:
    with sftp(sandbox, "files-a") as client:
        put(client, NAME, "one\ntwo\n")
        assert sandbox.held("files", "files-a")["segments"]["12345"]["members"] == ["one", "two"]
        put(client, "Mapp_dmp_12345_2026_01_03_00_00.tsv.gz", "one\tremove\nthree\tadd\n")
    held = sandbox.held("files", "files-a")
    assert held["segments"] == {"12345": {"size": 2, "members": ["three", "two"]}}
    assert [entry["status"] for entry in held["files"]] == ["processed", "processed"]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("Mapp_dmp_abc_2026_1_2_23_59.tsv.gz", "one\n", None),
        ("Mapp_dmp_12345_2026_13_2_23_59.tsv.gz", "one\n", None),
        ("dmp_12345_2026_1_2_23_59.tsv.gz", "one\n", None),
        (NAME, "one\r\n", 1),
        (NAME, "one\ntwo", 2),
        (NAME, "one\n\ntwo\n", 2),
        (NAME, "one\ntwo\tadd\n", 2),
        (NAME, "one\tadd\ntwo\tdelete\n", 2),
        (NAME, "one\tadd\tmore\n", 1),
        (NAME, "one\n[[USERID]]\n", 2),
    ],
)
def test_file__breaks_a_rule__is_refused_with_its_line(
    sandbox: SandboxProcess, name: str, text: str, line: int | None
) -> None:
    with sftp(sandbox, "files-a") as client:
        put(client, name, text)
    held = sandbox.held("files", "files-a")
    assert held["segments"] == {}
    assert [(entry["status"], entry["line"]) for entry in held["files"]] == [("refused", line)]
