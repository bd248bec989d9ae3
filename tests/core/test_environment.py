import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from core import environment
from core.environment import PROJECT_ROOT, InvalidEnvironmentError
from core.limits import DataCaps

VARIABLE = re.compile(r"DMPHUB_[A-Z_]+|DATABASE_URL|REDIS_URL")
EXAMPLE = PROJECT_ROOT / ".env.example"


def documented() -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))


def read_by_code() -> Iterator[str]:
    packages = [path.parent for path in PROJECT_ROOT.glob("*/__init__.py") if path.parent.name != "tests"]
    for path in (path for package in packages for path in package.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and VARIABLE.fullmatch(node.value):
                yield node.value


@pytest.fixture(autouse=True)
def only_a_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in documented():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DMPHUB_HOME", str(tmp_path / "home"))


def test_example__names_exactly_the_variables_that_the_code_reads() -> None:
    assert documented() == set(read_by_code())


def test_example__as_it_stands__is_a_valid_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DMPHUB_EDGE_URL", "https://dmp.example/")

    found = environment.read(EXAMPLE)

    assert found.edge_url == "https://dmp.example"  # the process wins over the file
    assert not found.allow_private_targets
    assert (found.database_url, found.redis_url) == (None, None)


def test_read__many_bad_values__tells_all_of_them_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://db/dmphub")
    monkeypatch.setenv("REDIS_URL", "localhost")
    monkeypatch.setenv("DMPHUB_EDGE_URL", "dmp.example")
    monkeypatch.setenv("DMPHUB_ALLOW_PRIVATE_TARGETS", "maybe")
    monkeypatch.setenv("DMPHUB_SECRET_KEYS", f"{Fernet.generate_key().decode()},secret")

    with pytest.raises(InvalidEnvironmentError) as error:
        environment.read(None)

    names = [line.partition(":")[0] for line in str(error.value).splitlines()]
    assert sorted(names) == [
        "DATABASE_URL",
        "DMPHUB_ALLOW_PRIVATE_TARGETS",
        "DMPHUB_EDGE_URL",
        "DMPHUB_SECRET_KEYS",
        "REDIS_URL",
    ]
    assert "secret" not in str(error.value).partition("DMPHUB_SECRET_KEYS")[2].partition("\n")[0].split()


def test_read__own_database_without_keys__is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/dmphub")

    with pytest.raises(InvalidEnvironmentError, match="DMPHUB_SECRET_KEYS: must be set"):
        environment.read(None)


def test_read__empty_values__count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in documented() - {"DMPHUB_HOME"}:
        monkeypatch.setenv(name, "")

    found = environment.read(None)

    assert found.edge_url == environment.DEFAULT_EDGE_URL
    assert found.database_url is None
    assert len(found.secret_keys) == 1


def test_repr__never_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://hub:hunter2@db/dmphub")
    monkeypatch.setenv("DMPHUB_SECRET_KEYS", Fernet.generate_key().decode())

    found = environment.read(None)

    assert "hunter2" not in repr(found)
    assert found.secret_keys[0] not in repr(found)


def test_generated_keys__many_processes_at_once__end_with_the_same_key_that_only_the_owner_reads(
    tmp_path: Path,
) -> None:
    program = "from core import environment; print(*environment.read(None).secret_keys)"
    command = [sys.executable, "-c", program]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, cwd=PROJECT_ROOT, text=True) for _ in range(6)]

    keys = {process.communicate(timeout=60)[0].strip() for process in processes}

    file = tmp_path / "home" / "secret_keys"
    assert keys == {file.read_text(encoding="ascii").strip()}
    assert file.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["secret_keys"]


def test_derived_secrets__of_two_purposes_and_keys__all_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DMPHUB_SECRET_KEYS", ",".join(Fernet.generate_key().decode() for _ in range(2)))

    found = environment.read(None)

    assert len({*found.derived_secrets("a"), *found.derived_secrets("b"), *found.secret_keys}) == 6


def test_read__caps_of_data__are_whole_numbers_with_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DMPHUB_PROFILE_BYTES", "1000")
    found = environment.read(None).data_caps
    assert (found.profile_bytes, found.profile_attributes) == (1000, DataCaps().profile_attributes)
    assert environment.read(EXAMPLE).data_caps == DataCaps(profile_bytes=1000)

    monkeypatch.setenv("DMPHUB_EVENT_ATTRIBUTES", "0")
    with pytest.raises(InvalidEnvironmentError, match="DMPHUB_EVENT_ATTRIBUTES: must be a whole number"):
        environment.read(None)
