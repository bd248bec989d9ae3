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
