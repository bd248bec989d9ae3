"""The usual forms of an answer that has a result for each row, for a 207 of which nobody said how to read it.

Nothing is guessed of a single row: either every result can be read, or none is.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

STATUSES = ("status", "statusCode", "status_code", "code", "httpStatus", "http_status", "responseCode")
FLAGS = ("success", "successful", "ok", "accepted")
IDS = ("id", "userid", "user_id", "userId", "external_id", "externalId", "key")
WORDS = ("error", "errors", "message", "reason", "detail", "description", "title", "errorMessage", "error_message")

OK, REFUSED, AGAIN = 200, 400, 503
SAID = {
    **dict.fromkeys(("ok", "success", "successful", "succeeded", "accepted", "created", "updated", "done"), OK),
    **dict.fromkeys(("processed", "complete", "completed", "added", "removed", "deleted"), OK),
    **dict.fromkeys(("error", "failed", "failure", "rejected", "invalid", "refused", "not_found"), REFUSED),
    **dict.fromkeys(("retry", "pending", "throttled", "busy", "in_progress", "rate_limited", "timeout"), AGAIN),
}

Result = tuple[int, str]
"""A status as HTTP has it, and the words beside it."""


def read(document: Any, ids: Sequence[str]) -> list[Result] | None:
    """Return the result of each row, in the order of `ids`; None where the answer has none of the usual forms."""
    lists = [one for one in _lists(document) if len(one) == len(ids)]
    if len(lists) != 1:
        return None
    results = [_unwrapped(one) for one in lists[0]]
    read_ = [_result(one) for one in results]
    ordered = _ordered(results, [one for one in read_ if one is not None], ids)
    return None if None in read_ else ordered


def number(found: Any) -> int | None:
    """Return a whole number, also where it is written as text; None for anything else."""
    if isinstance(found, bool):
        return None
    if isinstance(found, int):
        return found
    if isinstance(found, str) and found.isascii() and found.isdecimal() and len(found) < 10:
        return int(found)
    return None


def _lists(document: Any) -> Iterator[list[Any]]:
    """Yield the lists of objects in an answer: itself, its members, and theirs."""
    if isinstance(document, list):
        yield document
    elif isinstance(document, dict):
        for value in document.values():
            if isinstance(value, dict):
                yield from (inner for inner in value.values() if _is_of_objects(inner))
            elif _is_of_objects(value):
                yield value


def _is_of_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def _unwrapped(result: Any) -> Any:
    """Return the object inside an object that has no other member, such as {"index": {"status": 201}}."""
    if isinstance(result, dict) and len(result) == 1:
        (inner,) = result.values()
        return inner if isinstance(inner, dict) and _result(result) is None else result
    return result


def _result(result: Any) -> Result | None:
    if not isinstance(result, dict):
        return None
    words = _words(result)
    for name in STATUSES:
        if (status := number(result.get(name))) is not None and 100 <= status <= 599:
            return status, words
        if (said := SAID.get(str(result.get(name)).lower().replace(" ", "_"))) is not None:
            return said, words
    for name in FLAGS:
        if isinstance(result.get(name), bool):
            return (OK if result[name] else REFUSED), words
    if "error" in result or "errors" in result:
        return (REFUSED if result.get("error") or result.get("errors") else OK), words
    return None


def _words(result: Mapping[str, Any]) -> str:
    for name in WORDS:
        found = result.get(name)
        if isinstance(found, dict):
            found = next((found[inner] for inner in WORDS if isinstance(found.get(inner), str)), None) or str(found)
        if found:
            return str(found)[:500]
    return ""


def _ordered(results: list[Any], found: list[Result], ids: Sequence[str]) -> list[Result] | None:
    """Return the results in the order of the rows, where each names its row; else as they came."""
    if len(found) != len(ids):
        return None
    for name in IDS:
        named = {str(one.get(name)): place for place, one in enumerate(results)}
        if named.keys() == set(ids) and len(named) == len(results):
            return [found[named[known]] for known in ids]
    for name in ("index", "row", "position"):
        places = {number(one.get(name)): place for place, one in enumerate(results)}
        if places.keys() == set(range(len(ids))):
            return [found[places[row]] for row in range(len(ids))]
    return found
