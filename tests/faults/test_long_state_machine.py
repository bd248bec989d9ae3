"""The state machine of the pipeline, for longer than `make test` has time (`tests/pipeline/test_state_machine.py`)."""

import os
from typing import Any

import pytest

from tests.activation.conftest import private_targets
from tests.sandbox.conftest import running_sandbox, sandbox
from tests.support.pipeline_machine import run
from tests.support.sandbox_process import SandboxProcess
from tests.support.tables import db

__all__ = ["db", "private_targets", "running_sandbox", "sandbox"]

# the same examples each time, or others: `make test-faults SEED=…`
SEED = int(seed) if (seed := os.environ.get("DMPHUB_CHAOS_SEED")) else None


@pytest.mark.timeout(3_600)
def test_pipeline__for_long__ends_where_the_plain_model_ends(
    db: None, sandbox: SandboxProcess, private_targets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(sandbox, monkeypatch, examples=200, steps=40, seed=SEED)
