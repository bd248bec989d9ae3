"""How a file is to be read: what a person says of its text, its columns, and how it spells numbers and times."""

import json
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

import msgspec

from core.patterns import has_control
from core.values.dates import ISO
from core.values.spelled import THOUSANDS, Spelling
from pipeline.imports.decoding import encoding_of
from pipeline.imports.errors import UnfitOptionError
from pipeline.imports.mapping import MOST_COLUMNS, Mapped, mapped_of

DECIMALS = (".", ",")
NAMED_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "pipe": "|", "space": " "}
ACTIONS = ("add", "remove")
FLAGS = {"": False, "0": False, "1": True, "false": False, "true": True}
MOST_DIGITS = 18
MOST_WORDS, LONGEST_WORD = 100, 100
JSON_CELLS = "json"


class OptionsError(ValueError):
    """Some options cannot be used. `faults`: what is wrong, by the option's name."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {fault}" for name, fault in faults.items()))
        self.faults = faults


class ImportOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """All of them may be left out.

    `encoding`: as `codecs.lookup` calls it; empty: UTF-8, or what a byte order mark says. `delimiter`: of CSV; empty:
    found out. `decimal`: the sign before decimals; empty: a point, and nothing groups thousands. `thousands`: the sign
    between groups, where `decimal` is said; empty: the other of point and comma. `dates`: how times are written
    (`core.values.spelled`); empty: unix times and ISO 8601. `empty`: words that mean no value. `cells`: `json`: a CSV
    file is one that the hub exported (`pipeline.cells`). `mapping`: what becomes of columns; others keep their names.

    `audience`: a static audience on whose list the users are put, or (`action` remove) from which they are taken;
    `known`: of the rows only the ids count, and nobody is made of them; `change`: of the list, set by the hub once it
    has begun.
    """

    encoding: str = ""
    delimiter: str = ""
    decimal: str = ""
    thousands: str = ""
    dates: str = ""
    empty: tuple[str, ...] = ()
    cells: str = ""
    mapping: tuple[Mapped, ...] = ()
    audience: int = 0
    action: str = ""
    known: bool = False
    change: int = 0

    def spelling(self, zone: tzinfo) -> Spelling:
        """Returns how numbers and times are written, where those that name no zone are in `zone`."""
        thousands = self.thousands or {",": ".", ".": ","}.get(self.decimal, "")
        return Spelling(
            decimal=self.decimal or ".",
            thousands=thousands,
            dates=self.dates or ISO,
            zone=zone,
            any_digits=bool(self.decimal),
        )

    def stored(self) -> dict[str, Any]:
        """Returns the options as JSON holds them."""
        held: dict[str, Any] = msgspec.to_builtins(self)
        return held

    def written(self) -> dict[str, Any]:
        """Returns the options in the form that `read_options` reads."""
        held = {name: value for name, value in self.stored().items() if name != "change"}
        rows = [{**row, "to": row.get("to")} for row in held.get("mapping", [])]
        return {**held, "mapping": rows} if rows else held


def options_of(stored: Mapping[str, Any]) -> ImportOptions:
    """Returns options that `stored` made JSON of."""
    return msgspec.convert(stored, ImportOptions)


def read_options(given: Mapping[str, Any]) -> ImportOptions:
    """Returns the options that are given as a person writes them. Raises OptionsError, with all faults together.

    Lists may be given as JSON texts; the words of `empty` also as a text with commas.
    """
    found: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name in given:
        try:
            found[name] = _READERS[name](given[name])
        except KeyError:
            faults[name] = "there is no such option"
        except ValueError as fault:
            faults[name] = str(fault)
    thousands = found.get("thousands")
    if thousands and not faults and thousands == (found.get("decimal") or thousands):
        faults["thousands"] = "is another sign than that before decimals, which has to be said too"
    if not faults and not found.get("audience"):
        faults |= {name: "goes with an audience" for name in ("action", "known") if found.get(name)}
    if faults:
        raise OptionsError(faults)
    return ImportOptions(**found)


def _encoding(given: Any) -> str:
    if not given:
        return ""
    found = encoding_of(given) if isinstance(given, str) else None
    if found is None:
        raise UnfitOptionError("is no encoding that is known here: utf-8, utf-16, cp1252, iso-8859-1 …")
    return found


def _delimiter(given: Any) -> str:
    if not given:
        return ""
    sign = NAMED_DELIMITERS.get(given, given) if isinstance(given, str) else ""
    if len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in '"\r\n\0\\':
        raise UnfitOptionError("is one sign that separates columns: comma, semicolon, tab, bar, or another")
    return sign


def _decimal(given: Any) -> str:
    if given and given not in DECIMALS:
        raise UnfitOptionError("is the sign before decimals: . or ,")
    return given or ""


def _thousands(given: Any) -> str:
    if given and given not in THOUSANDS:
        raise UnfitOptionError("is the sign between thousands: . , ' _ or a blank")
    return given or ""


def _dates(given: Any) -> str:
    if not given:
        return ""
    if not isinstance(given, str):
        raise UnfitOptionError("is a text")
    Spelling(dates=given)
    return given


def _empty(given: Any) -> tuple[str, ...]:
    words = _listed(given) if not isinstance(given, str) or given.lstrip().startswith("[") else given.split(",")
    if len(words) > MOST_WORDS or not all(isinstance(word, str) and len(word) <= LONGEST_WORD for word in words):
        raise UnfitOptionError(f"is a list of at most {MOST_WORDS} words of at most {LONGEST_WORD} characters")
    if any(has_control(word) for word in words):
        raise UnfitOptionError("holds control characters")
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def _cells(given: Any) -> str:
    if given and given != JSON_CELLS:
        raise UnfitOptionError("is json, for a file that the hub exported, or left out")
    return given or ""


def _audience(given: Any) -> int:
    if given is None or given == "":
        return 0
    text = str(given)
    if isinstance(given, bool) or not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise UnfitOptionError("is the number of a static audience")
    return int(text)


def _action(given: Any) -> str:
    if given and given not in ACTIONS:
        raise UnfitOptionError("is add or remove")
    return given or ""


def _known(given: Any) -> bool:
    found = FLAGS.get(str(given).lower() if given is not None else "")
    if found is None:
        raise UnfitOptionError("is 1 or 0")
    return found


def _mapping(given: Any) -> tuple[Mapped, ...]:
    rows = _listed(given)
    if len(rows) > MOST_COLUMNS:
        raise UnfitOptionError(f"names more than {MOST_COLUMNS} columns")
    return mapped_of(rows)


def _listed(given: Any) -> Sequence[Any]:
    """Returns a list, which may be given as JSON. Raises UnfitOptionError."""
    if given is None or given == "":
        return []
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            raise UnfitOptionError("is no JSON") from None
    if not isinstance(given, list | tuple):
        raise UnfitOptionError("is a list")
    return given


_READERS = {
    "encoding": _encoding,
    "delimiter": _delimiter,
    "decimal": _decimal,
    "thousands": _thousands,
    "dates": _dates,
    "empty": _empty,
    "cells": _cells,
    "mapping": _mapping,
    "audience": _audience,
    "action": _action,
    "known": _known,
}
