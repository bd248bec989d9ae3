"""Every error of an input has a status at the edge."""

import subprocess
import sys

from core.environment import PROJECT_ROOT

# in a process of its own: only what the edge imports counts, not what other tests did
REPORT = """
import dmphub.asgi
from core.errors import InputError
from edge.refusals import _STATUSES

def kinds(kind):
    for one in kind.__subclasses__():
        yield one
        yield from kinds(one)

print(*sorted({one.__name__ for one in kinds(InputError) if one not in _STATUSES}))
"""


def test_input_error__of_any_kind_that_endpoints_can_meet__has_a_status() -> None:
    without = subprocess.run(
        [sys.executable, "-c", REPORT], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60, check=True
    ).stdout.split()

    assert without == ["InvalidParameterError"]  # its status is made of the parameter's name
