"""Consent strings made as the formats' documents say, so that a test can show what is in the one it sends.

TCF v2: “Transparency and Consent String with Global Vendor & CMP List Formats”, the core string. GPP: “Global
Privacy Platform String”, header and sections of the US. Both of IAB.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence

Ranges = Sequence[tuple[int, int]]
Restriction = tuple[int, int, Ranges]
"""Purpose, type (0: not allowed), vendors."""


def tcf(
    purposes: Iterable[int] = (1,),
    vendors: Iterable[int] = (),
    *,
    ranges: Ranges | None = None,
    restrictions: Sequence[Restriction] = (),
    version: int = 2,
) -> str:
    """A core string; `ranges` instead of `vendors` for the other of the two encodings of vendors."""
    bits = _number(version, 6) + _number(16_000_000_000, 36) * 2 + _number(31, 12) + _number(1, 12) + _number(1, 6)
    bits += _letters("EN") + _number(126, 12) + _number(4, 6) + "10" + "0" * 12
    bits += _field(purposes, 24) + "0" * 24 + "0" + _letters("DE")
    bits += _vendors(list(vendors)) if ranges is None else _vendor_ranges(ranges)
    bits += _vendors([1, 700])  # legitimate interests
    bits += _number(len(restrictions), 12)
    for purpose, kind, named in restrictions:
        bits += _number(purpose, 6) + _number(kind, 2) + _entries(named)
    return encoded(bits, 8)


def gpp(**sections: str) -> str:
    """A GPP string of `s<id>=<section>`."""
    by_id = {int(name[1:]): body for name, body in sections.items()}
    header, last = _number(3, 6) + _number(1, 6) + _number(len(by_id), 12), 0
    for section in sorted(by_id):
        header += "0" + _fibonacci(section - last)
        last = section
    return "~".join([encoded(header, 6), *(by_id[section] for section in sorted(by_id))])


def us_section(notices: int, opt_outs: Sequence[int], *, version: int = 1, gpc: bool | None = None) -> str:
    """A section with so many notices (all given) and these opt-outs: 0 not applicable, 1 opted out, 2 not."""
    core = encoded(_number(version, 6) + "01" * notices + "".join(_number(one, 2) for one in opt_outs) + "0" * 30, 6)
    return core if gpc is None else f"{core}.{encoded('01' + str(int(gpc)), 6)}"


def encoded(bits: str, unit: int) -> str:
    """Base64 of the bits, filled up with zeros to whole units of 6 or 8."""
    bits += "0" * (-len(bits) % unit)
    characters = -(-len(bits) // 6)
    bits += "0" * (-len(bits) % 24)
    return urlsafe_b64encode(int(bits, 2).to_bytes(len(bits) // 8)).decode()[:characters]


def _number(value: int, width: int) -> str:
    return f"{value:0{width}b}"


def _letters(text: str) -> str:
    return "".join(_number(ord(letter) - ord("A"), 6) for letter in text)


def _field(members: Iterable[int], width: int) -> str:
    found = set(members)
    return "".join("1" if place in found else "0" for place in range(1, width + 1))


def _vendors(vendors: Sequence[int]) -> str:
    highest = max(vendors, default=0)
    return _number(highest, 16) + "0" + _field(vendors, highest)


def _vendor_ranges(ranges: Ranges) -> str:
    return _number(max(last for _, last in ranges), 16) + "1" + _entries(ranges)


def _entries(ranges: Ranges) -> str:
    bits = _number(len(ranges), 12)
    for first, last in ranges:
        bits += "0" + _number(first, 16) if first == last else "1" + _number(first, 16) + _number(last, 16)
    return bits


def _fibonacci(value: int) -> str:
    weights = [1, 2]
    while weights[-1] <= value:
        weights.append(weights[-1] + weights[-2])
    bits = ""
    for weight in reversed([one for one in weights if one <= value]):
        bits = ("1" if weight <= value else "0") + bits
        value -= weight if weight <= value else 0
    return bits + "1"
