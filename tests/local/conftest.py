import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from core.environment import DEFAULT_EDGE_URL, Environment
from local import embedded
from local.embedded import copies

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


@pytest.fixture(scope="session")
def made_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data of a PostgreSQL that was made, and has run for a moment."""
    with _homes() as make:
        environment = make("made once")
        with embedded.session(environment):
            pass
        data = tmp_path_factory.mktemp("postgres") / "data"
        copies.keep_copy(environment, data)
    yield data
    shutil.rmtree(data)


@pytest.fixture
def make_new_environment() -> Iterator[MakeEnvironment]:
    """Makes embedded environments without any data, by the name of their home; they are deleted at the end."""
    with _homes() as make:
        yield make


@pytest.fixture
def make_environment(make_new_environment: MakeEnvironment, made_data: Path) -> MakeEnvironment:
    """The same, whose data is there already: making it takes a second."""

    def make(name: str) -> Environment:
        environment = make_new_environment(name)
        copies.start_from(environment, made_data)
        return environment

    return make


@contextmanager
def _homes() -> Iterator[MakeEnvironment]:
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
