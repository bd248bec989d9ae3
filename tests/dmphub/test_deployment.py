from typing import Any

import yaml

from core.environment import PROJECT_ROOT
from tests.core.test_environment import documented

COMPOSE: dict[str, Any] = yaml.safe_load((PROJECT_ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
PARTS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def test_compose__every_part__gets_every_documented_variable() -> None:
    assert set(PARTS) == {"migrate", "edge", "console", "absorber", "deliverer", "sweeper", "importer"}
    for part in PARTS.values():
        assert set(part["environment"]) == documented()


def test_compose__commands_and_values__are_strings_as_its_schema_asks() -> None:
    for service in COMPOSE["services"].values():
        words = [*service["command"], *service["environment"].values()] if "environment" in service else []
        assert all(isinstance(word, str) for word in [*words, *service["command"]])


def test_compose__what_a_part_depends_on_and_connects_to__exists() -> None:
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", ())) <= set(COMPOSE["services"])
        assert set(service["networks"]) <= set(COMPOSE["networks"])
    assert all("healthcheck" in COMPOSE["services"][name] for name in ("postgres", "redis", "edge", "console"))


def test_compose__every_container__is_locked_down() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service
        assert "privileged" not in service
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert service["mem_limit"], name
        assert service["pids_limit"] > 0, name


def test_compose__networks__keep_the_data_apart() -> None:
    networks = {name: set(service["networks"]) for name, service in COMPOSE["services"].items()}

    assert COMPOSE["networks"]["data"] == {"internal": True}
    assert networks["postgres"] == networks["redis"] == networks["absorber"] == networks["importer"] == {"data"}
    assert networks["edge"] == {"data", "edge"}
    assert not any({"edge", "out"} <= of for of in networks.values())
    assert {name for name, service in COMPOSE["services"].items() if "ports" in service} == {"edge", "console"}
    assert COMPOSE["services"]["console"]["ports"] == ["127.0.0.1:8000:8000"]


def test_compose__foreign_images__are_pinned_to_a_major_version_and_run_as_nobody_special() -> None:
    foreign = {name: service for name, service in COMPOSE["services"].items() if "build" not in service}

    assert {name: service["image"] for name, service in foreign.items()} == {
        "postgres": "postgres:18",
        "redis": "redis:8-alpine",
    }
    assert all(service["user"] == name for name, service in foreign.items())


def test_compose__passwords__are_in_no_file_of_the_repository() -> None:
    assert COMPOSE["services"]["postgres"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")
    for name, part in PARTS.items():
        password = {"migrate": "POSTGRES_PASSWORD", "edge": "EDGE_PASSWORD"}.get(name, "APP_PASSWORD")
        assert f"${{{password}:?" in part["environment"]["DATABASE_URL"], name


def test_compose__the_edge__is_told_no_other_roles_password() -> None:
    told = " ".join(PARTS["edge"]["environment"].values())

    assert "dmphub_edge:" in told
    assert "APP_PASSWORD" not in told
    assert "POSTGRES_PASSWORD" not in told


def test_image__at_run_time__is_not_root_and_installs_by_hash() -> None:
    steps = (PROJECT_ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()

    assert [step for step in steps if step.startswith("USER ")] == ["USER dmphub"]
    assert any("--require-hashes" in step for step in steps)
