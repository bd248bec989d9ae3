"""The S3-compatible store, as real clients of S3 use it."""

import gzip
from typing import Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError
from django.core.files.base import ContentFile
from storages.backends.s3 import S3Storage

from tests.support.sandbox_process import SandboxProcess

NAME = "Mapp_dmp_12345_2026_1_2_23_59.tsv.gz"


def client(sandbox: SandboxProcess, secret: str = "foo-secret", region: str = "eu-central-1") -> Any:
    return boto3.client(
        "s3",
        endpoint_url=f"{sandbox.url}/s3",
        aws_access_key_id="foo",
        aws_secret_access_key=secret,
        region_name=region,
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}, proxies={}),
    )


def test_object__put__is_read_applied_and_told(sandbox: SandboxProcess) -> None:
    content = gzip.compress(b"one\ntwo\n")
    s3 = client(sandbox)
    s3.put_object(Bucket="drop", Key=f"in coming/{NAME}", Body=content)
    assert s3.get_object(Bucket="drop", Key=f"in coming/{NAME}")["Body"].read() == content
    assert s3.head_object(Bucket="drop", Key=f"in coming/{NAME}")["ContentLength"] == len(content)
    held = sandbox.held("files", "foo")
    assert held["segments"] == {"12345": {"size": 2, "members": ["one", "two"]}}
    assert held["violations"] == []


def test_object__that_breaks_a_rule__is_stored_but_refused(sandbox: SandboxProcess) -> None:
    client(sandbox).put_object(Bucket="drop", Key=NAME, Body=gzip.compress(b"one\n\n"))
    held = sandbox.held("files", "foo")
    assert [(entry["status"], entry["line"]) for entry in held["files"]] == [("refused", 2)]


def test_storage__of_django__saves_and_finds(sandbox: SandboxProcess) -> None:
    storage = S3Storage(
        access_key="foo",
        secret_key="foo-secret",
        bucket_name="drop",
        endpoint_url=f"{sandbox.url}/s3",
        region_name="eu-central-1",
        addressing_style="path",
    )
    assert not storage.exists(NAME)
    assert storage.save(NAME, ContentFile(gzip.compress(b"one\n"))) == NAME
    assert storage.exists(NAME)
    assert sandbox.held("files", "foo")["segments"]["12345"]["members"] == ["one"]
    storage.delete(NAME)
    assert not storage.exists(NAME)


def test_signature__under_another_secret__is_refused(sandbox: SandboxProcess) -> None:
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(sandbox, "bar-secret").put_object(Bucket="drop", Key=NAME, Body=b"x")
    assert sandbox.state()["files"] == {}


def test_signature__missing__is_refused(sandbox: SandboxProcess) -> None:
    assert requests.put(f"{sandbox.url}/s3/drop/{NAME}", data=b"x", timeout=5).status_code == 403


def test_object__nobody_put__is_missing(sandbox: SandboxProcess) -> None:
    with pytest.raises(ClientError, match="404"):
        client(sandbox).head_object(Bucket="drop", Key=NAME)


def test_fault__status__is_met_and_nothing_applied(sandbox: SandboxProcess) -> None:
    sandbox.faults(target="files/foo", status=403, times=1)
    with pytest.raises(ClientError, match="403"):
        client(sandbox).put_object(Bucket="drop", Key=NAME, Body=gzip.compress(b"one\n"))
    assert sandbox.held("files", "foo")["segments"] == {}
