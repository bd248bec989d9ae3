"""Makes a connector keep its promise to raise `integrations.errors` only, whoever wrote it.

A connector may be of another distribution, and any may have a mistake in it. What a method of the contract raises
besides becomes a `ConnectorFaultError`, so that whoever calls it need not expect anything else.
"""

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from inspect import isfunction, isgeneratorfunction
from typing import Any

from django.core.exceptions import ValidationError

from integrations.errors import ConnectorFaultError, IntegrationError
from integrations.http import Request

# the methods that are called while something is sent, read back or shown; settings are validated by `services`
GUARDED = frozenset(
    {
        *("given_segment", "creation_request", "segment_id", "lookup_request", "read_lookup", "publication_request"),
        *("push", "succeeded", "failure", "outcomes", "authorization", "warnings"),
        *("check_requests", "read_checks", "members_request", "read_members", "log_request", "read_log"),
        *("destination", "destination_of", "partition", "file_name", "header", "lines", "lines_of_ids"),
    }
)
# what must be returned, where anything else would fail far from here
RETURNED: dict[str, type] = {
    "push": Request,
    "creation_request": Request,
    "failure": IntegrationError,
    "outcomes": Sequence,
    "partition": str,
    "file_name": str,
    "header": bytes,
    "lines_of_ids": bytes,
}

log = logging.getLogger(__name__)


def guard(kind: type) -> None:
    """Guard the methods of the contract that this class defines itself."""
    for name in GUARDED & vars(kind).keys():
        method = vars(kind)[name]
        if isfunction(method):
            setattr(kind, name, (_guarded_lines if isgeneratorfunction(method) else _guarded)(method))


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    expected = RETURNED.get(method.__name__, object)

    @wraps(method)
    def call(*values: Any, **named: Any) -> Any:
        try:
            found = method(*values, **named)
        except (IntegrationError, ValidationError):
            raise
        except Exception as error:
            raise _fault(method, error) from error
        if not isinstance(found, expected):
            raise ConnectorFaultError(f"the connector has a fault ({method.__name__} returned {type(found).__name__})")
        return found

    return call


def _guarded_lines(method: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    @wraps(method)
    def call(*values: Any, **named: Any) -> Iterator[Any]:
        try:
            yield from method(*values, **named)
        except (IntegrationError, ValidationError):
            raise
        except Exception as error:
            raise _fault(method, error) from error

    return call


def _fault(method: Callable[..., Any], error: Exception) -> ConnectorFaultError:
    """Returns what people may see. The error's own words may hold personal data or secrets; its place does not."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    log.error("%s raised %s at %s:%s", method.__qualname__, type(error).__name__, where.filename, where.lineno)
    return ConnectorFaultError(f"the connector has a fault ({method.__name__} raised {type(error).__name__})")
