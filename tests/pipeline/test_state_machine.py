"""The whole pipeline in motion: whatever happens, in whatever order, the hub ends where the plain model ends.

`make test-faults` runs the same machine for longer (`tests/faults/test_long_state_machine.py`).
"""

from typing import Any

import pytest

from tests.activation.conftest import private_targets
from tests.sandbox.conftest import running_sandbox, sandbox
from tests.support.pipeline_machine import run
from tests.support.sandbox_process import SandboxProcess

__all__ = ["private_targets", "running_sandbox", "sandbox"]


def test_pipeline__whatever_happens__ends_where_the_plain_model_ends(
    db: None, sandbox: SandboxProcess, private_targets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(sandbox, monkeypatch, examples=25, steps=25)
