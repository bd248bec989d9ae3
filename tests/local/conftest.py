import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from core.environment import DEFAULT_EDGE_URL, Environment
from local import embedded

MakeEnvironment = Callable[[str], Environment]


def environment_of(home: Path) -> Environment:
    return Environment(
        home=home,
        database_url=None,
        redis_url=None,
        edge_url=DEFAULT_EDGE_URL,
        secret_keys=("unused",),
        allow_private_targets=False,
        insecure_cookies=False,
        debug=False,
    )


@pytest.fixture
def make_environment() -> Iterator[MakeEnvironment]:
    """Makes embedded environments by the name of their home; their data is deleted at the end."""
    with ExitStack() as stack:
        top = Path(tempfile.mkdtemp(prefix="dmphub-homes-"))
        top.chmod(0o755)  # as pytest's own folders are not, for PostgreSQL's account where tests run as root
        stack.callback(shutil.rmtree, top)

        def make(name: str) -> Environment:
            home = (top / name).resolve()
            home.mkdir(parents=True)
            environment = environment_of(home)
            stack.callback(embedded.erase, environment)
            return environment

        yield make
