"""Does every platform hold exactly its audience?"""

from dataclasses import dataclass

from local.demo.audiences import AUDIENCES
from local.demo.expectations import Expected, Held
from local.demo.platforms import PLATFORMS


@dataclass(frozen=True, slots=True)
class Line:
    """One audience on one platform: `members` held, `missing` ids that it should hold, `extra` that it should not."""

    platform: str
    account: str
    audience: str
    expected: int
    members: int
    missing: frozenset[str]
    extra: frozenset[str]

    @property
    def exact(self) -> bool:
        return not self.missing and not self.extra


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong_sizes`: audience → (members in the hub, expected), where they differ."""

    lines: tuple[Line, ...]
    wrong_sizes: dict[str, tuple[int, int]]

    @property
    def exact(self) -> bool:
        return not self.wrong_sizes and all(line.exact for line in self.lines)

    def faults(self) -> list[str]:
        """What is wrong, in words."""
        held = [
            f"{line.platform} lacks {len(line.missing)} and has {len(line.extra)} too many in “{line.audience}”"
            for line in self.lines
            if not line.exact
        ]
        sizes = [
            f"“{name}” has {found} members in the hub instead of {wanted}"
            for name, (found, wanted) in self.wrong_sizes.items()
        ]
        return held + sizes


def verdict(expected: Expected, held: Held, sizes: dict[str, int]) -> Verdict:
    lines = tuple(
        _line(platform.name, platform.account, audience.name, expected.held, held)
        for platform in PLATFORMS
        for audience in AUDIENCES
    )
    wrong = {
        name: (sizes.get(name, 0), wanted) for name, wanted in expected.sizes.items() if sizes.get(name, 0) != wanted
    }
    return Verdict(lines, wrong)


def _line(name: str, account: str, audience: str, expected: Held, held: Held) -> Line:
    wanted, found = expected[account, audience], held.get((account, audience), set())
    return Line(name, account, audience, len(wanted), len(found), frozenset(wanted - found), frozenset(found - wanted))
