from collections.abc import Iterator

import pytest

from tests.support.sandbox_account import GenericAccount
from tests.support.sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess(sftp=True) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running_sandbox: SandboxProcess) -> SandboxProcess:
    """The running sandbox, empty."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def foo(sandbox: SandboxProcess) -> GenericAccount:
    return GenericAccount(sandbox, "foo")
