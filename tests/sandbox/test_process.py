import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import requests

from tests.support.sandbox_account import GenericAccount
from tests.support.sandbox_process import ROOT, SandboxProcess


def test_sigterm__with_a_delayed_answer_and_idle_connections__exits_quickly() -> None:
    with SandboxProcess() as sandbox:
        sandbox.faults(target="generic", delay=60)
        with ThreadPoolExecutor(1) as pool:
            delayed = pool.submit(GenericAccount(sandbox, "foo").call, "POST", "title=t")
            while not sandbox.state("foo")["generic"]["foo"]["faulted"]:
                time.sleep(0.01)
            began = time.perf_counter()
            assert sandbox.stop() == 0
            assert time.perf_counter() - began < 2
            assert isinstance(delayed.exception(5), requests.ConnectionError)


def test_port__taken__is_refused_instead_of_shared(sandbox: SandboxProcess) -> None:
    port = str(urlsplit(sandbox.url).port)
    second = subprocess.run(
        [sys.executable, "-m", "sandbox", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert second.returncode != 0
    assert "ready" not in second.stdout
