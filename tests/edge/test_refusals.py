"""Every error of an input has a status at the edge."""

import importlib
import pkgutil
from collections.abc import Iterator

import edge.endpoints
from core.errors import InputError
from edge.refusals import _STATUSES


def _kinds(kind: type[InputError]) -> Iterator[type[InputError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _kinds(one)


def test_input_error__of_any_kind_that_endpoints_can_meet__has_a_status() -> None:
    for module in pkgutil.iter_modules(edge.endpoints.__path__, "edge.endpoints."):
        importlib.import_module(module.name)

    without = {one.__name__ for one in _kinds(InputError) if one not in _STATUSES}

    assert without == {"InvalidParameterError"}  # its status is made of the parameter's name
