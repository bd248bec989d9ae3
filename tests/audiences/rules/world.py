"""The customer the rules of these tests belong to."""

from dataclasses import dataclass
from typing import Any

from audiences.rules.nodes import Group
from audiences.rules.operators import AttributeType
from audiences.rules.parse import parse

NOW_S = 1_709_164_800  # 2024-02-29T00:00:00Z, a leap day
NOW = NOW_S * 1000
DAY = 86_400_000
TODAY = NOW // DAY

ATTRIBUTES: dict[str, AttributeType] = {
    "text": "string",
    "number": "number",
    "whole": "integer",
    "flag": "boolean",
    "at": "time",
    "any": "mixed",
    "deep.text": "string",
    "deep.er.any": "mixed",
    r"dot\.ted": "mixed",
    "0": "mixed",
}
PIXELS, AUDIENCES, PLATFORMS = (1, 12, 300), (3, 4), (5, 6)


ZONES = (
    *("UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Australia/Lord_Howe"),
    *("America/Sao_Paulo", "Pacific/Kiritimati", "America/Los_Angeles"),
)


@dataclass(frozen=True)
class RuleWorld:
    """A schema with one attribute of every type."""

    zone: str = "UTC"

    def time_zone(self) -> str:
        return self.zone

    def attribute_type(self, path: str, /) -> AttributeType | None:
        return ATTRIBUTES.get(path)

    def has_pixel(self, pixel: int, /) -> bool:
        return pixel in PIXELS

    def has_audience(self, audience: int, /) -> bool:
        return audience in AUDIENCES

    def has_platform(self, platform: int, /) -> bool:
        return platform in PLATFORMS


WORLD = RuleWorld()


RuleJson = dict[str, Any]


def rule(field: str, operator: str, value: object = None, **more: object) -> RuleJson:
    return {"field": field, "operator": operator, "value": value, **more}


def group(*rules: object, combinator: str = "and", negated: bool = False) -> RuleJson:
    return {"combinator": combinator, "not": negated, "rules": list(rules)}


def parsed(*rules: object, combinator: str = "and", negated: bool = False, world: RuleWorld = WORLD) -> Group:
    return parse(group(*rules, combinator=combinator, negated=negated), world)
