"""`pip install .` gives a whole hub: the command, the data files, and connectors of other distributions."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from core.environment import PROJECT_ROOT
from tests.core.test_environment import documented
from tests.integrations.test_outside_connectors import examples

PACKAGES = {path.parent.name for path in PROJECT_ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
CONNECTOR_PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "acme-for-dmphub"
version = "1.0"

[project.entry-points."dmphub.connectors"]
acme = "acme:Acme"

[tool.setuptools]
py-modules = ["acme"]
"""


@dataclass(frozen=True, slots=True)
class Installation:
    """An environment of its own, and an empty working folder."""

    environment: Path
    folder: Path

    @property
    def variables(self) -> dict[str, str]:
        """Nothing of this test run's hub, and nothing of the checkout on the path."""
        unset = {*documented(), "PYTHONPATH", "DJANGO_SETTINGS_MODULE"}
        return {name: value for name, value in os.environ.items() if name not in unset}

    def run(self, program: str, *arguments: str) -> str:
        """Returns what the program wrote to standard output."""
        command = [str(self.environment / "bin" / program), *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.variables, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout


def pip(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without the package registry where the development lock, with its build backend, is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    isolation = ["--no-build-isolation"] if find_spec("hatchling") else []
    pip("wheel", "--no-deps", *isolation, "--wheel-dir", str(folder), str(PROJECT_ROOT))
    (path,) = folder.glob("dmphub-*.whl")
    return path


@pytest.fixture(scope="module")
def installation(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The wheel and another distribution's connector, beside the dependencies that this test run has."""
    top = Path(tempfile.mkdtemp(prefix="dmphub-installed-"))
    top.chmod(0o755)  # run as root, PostgreSQL switches to an account that must be able to pass
    environment, folder = top / "environment", top / "work"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    (site_packages,) = environment.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), "utf-8")
    connector = tmp_path_factory.mktemp("connector")
    (connector / "pyproject.toml").write_text(CONNECTOR_PROJECT, "utf-8")
    (connector / "acme.py").write_text(examples()[0], "utf-8")
    python = str(environment / "bin" / "python")
    for source in (wheel, connector):
        pip("--python", python, "install", "--no-deps", "--no-index", "--no-build-isolation", str(source))
    folder.mkdir()
    yield Installation(environment, folder)
    shutil.rmtree(top)


def test_wheel__holds_every_package_with_its_types_and_data_files_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES | {"templates"}
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    listed = subprocess.run(["git", "ls-files"], cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True, check=False)
    tracked = [name for name in listed.stdout.splitlines() if name.partition("/")[0] in PACKAGES | {"templates"}]
    assert [name for name in tracked if name not in names and (PROJECT_ROOT / name).exists()] == []
    assert {"dmphub/env.example", "edge/endpoints/sync_tag.js", "templates/admin/index.html"} <= names


def test_command__lists_what_manage_py_lists(installation: Installation) -> None:
    ours = subprocess.run(
        [sys.executable, "manage.py", "help", "--commands"],
        cwd=PROJECT_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert installation.run("dmphub", "help", "--commands") == ours.stdout
    assert {"up", "demo", "sandbox", "create_api_key"} <= set(ours.stdout.split())


def test_connector__of_another_distribution__is_found_by_its_entry_point(installation: Installation) -> None:
    shown = "from integrations.connectors.registry import all_connectors as a; print(a()['acme'].__module__, len(a()))"
    module, number = installation.run("python", "-c", shown).split()
    assert module == "acme"
    assert int(number) > 1


def test_up__from_an_empty_folder__serves_a_hub_with_its_data_below_it(installation: Installation) -> None:
    """Beside a folder that is named as one of the packages is, which must not stand in for it."""
    (installation.folder / "core").mkdir()
    (installation.folder / "core" / "__init__.py").write_text("raise SystemExit('not this one')", "utf-8")
    command = [str(installation.environment / "bin" / "dmphub"), "up", "--port", "0", "--edge-port", "0"]
    with (installation.folder / "hub.log").open("w") as log:
        hub = subprocess.Popen(
            command, cwd=installation.folder, env=installation.variables, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        assert hub.stdout is not None
        ready = re.match(r"ready console=http://([\d.:]+) edge=http://([\d.:]+)", hub.stdout.readline())
        assert ready is not None, (installation.folder / "hub.log").read_text("utf-8")[-3000:]
        key = installation.run("dmphub", "create-api-key", "tests", "--role", "analyst").strip()
        assert "acme" in connectors(ready[1], key)
        assert status(ready[1], "/static/dmphub/console.css") == 200
        assert status(ready[1], "/login/") == 200
        assert status(ready[2], "/sync.js?m=1&id=1") in {200, 400, 404}
        assert (installation.folder / "var" / "secret_keys").is_file()
    finally:
        hub.terminate()
        hub.communicate(timeout=30)
    assert hub.returncode == 0


def connectors(door: str, key: str) -> set[str]:
    connection = http.client.HTTPConnection(door, timeout=10)
    connection.request("GET", "/api/v1/platforms/connectors/", headers={"Authorization": f"Bearer {key}"})
    answer = json.load(connection.getresponse())
    connection.close()
    return {each["key"] for each in answer}


def status(door: str, path: str) -> int:
    connection = http.client.HTTPConnection(door, timeout=10)
    connection.request("GET", path)
    found = connection.getresponse().status
    connection.close()
    return found
