"""Answers that say of each row by itself what became of it: where they say it, and what it means.

A platform's settings may say where (`ItemResults`). Where they do not, an answer of 207 is read if it has one of the
usual forms: one list with as many results as there were rows, of which each names a status or an error.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from integrations.answers import expressions, meaning, usual_results
from integrations.answers.expressions import ExpressionError
from integrations.answers.meaning import EXCERPT
from integrations.answers.waiting import asked_wait
from integrations.errors import (
    BusyError,
    IntegrationError,
    MisconfiguredError,
    RateLimitedError,
    RefusedError,
    RetriableError,
    UnclearAnswerError,
)

if TYPE_CHECKING:
    from integrations.http import Response

Outcomes = Sequence[IntegrationError | None]


class ItemResults(msgspec.Struct, forbid_unknown_fields=True):
    """Where an answer says what became of each row. Without `index` and `id`, results come in the order of the rows.

    A result with a `status` means what an answer of this status means. Otherwise it is a refusal, unless `accepted` or
    `retry` holds of it.
    """

    list: Annotated[str, msgspec.Meta(min_length=1, description="A JMESPath of the list of results")]
    index: Annotated[str, msgspec.Meta(description="In a result: the row's place in the request, from 0")] = ""
    id: Annotated[str, msgspec.Meta(description="In a result: the platform's user id")] = ""
    status: Annotated[str, msgspec.Meta(description="In a result: a status as HTTP has it")] = ""
    accepted: Annotated[str, msgspec.Meta(description="In a result: true where the row was taken")] = ""
    retry: Annotated[str, msgspec.Meta(description="In a result: true where the row is to be sent again")] = ""
    reason: Annotated[str, msgspec.Meta(description="In a result: why")] = ""
    missing: Annotated[
        Literal["retry", "accepted", "refused"],
        msgspec.Meta(description="What a row means of which the answer says nothing"),
    ] = "retry"

    @property
    def paths(self) -> dict[str, str]:
        return {name: getattr(self, name) for name in ("list", "index", "id", "status", "accepted", "retry", "reason")}


def read(where: ItemResults, ids: Sequence[str], response: "Response") -> Outcomes:
    """Return the outcome of each row, by the settings. `ids`: the platform's, in the order of the request.

    Raises `UnclearAnswerError` for an answer that is not JSON, and `MisconfiguredError` where it has not the form that
    the settings name.
    """
    results = _search(where.list, document_of(response))
    if results is None and where.missing == "accepted":
        results = []
    if not isinstance(results, list):
        raise MisconfiguredError(f"the answer has no list at “{where.list}” (items): {response.excerpt}")
    by_row = _by_row(where, results, ids, response)
    return [_outcome(where, by_row[row], response) if row in by_row else _missing(where) for row in range(len(ids))]


def read_unasked(ids: Sequence[str], response: "Response") -> Outcomes:
    """Return the outcome of each row of an answer of 207, where nobody said how to read it. Raises as `read` does."""
    found = usual_results.read(document_of(response), ids)
    if found is None:
        raise MisconfiguredError(
            f"HTTP 207: each row has a result of its own, and “items” does not say where: {response.excerpt}"
        )
    return [_of_status(status, words, response) for status, words in found]


def document_of(response: "Response") -> Any:
    """Return the JSON of an answer that has to be JSON. Raises `UnclearAnswerError` for anything else."""
    try:
        return response.document()
    except RefusedError:
        what = f"is not JSON: {response.excerpt}" if response.body.strip() else "has no body"
        raise UnclearAnswerError(f"HTTP {response.status}: the answer {what}") from None


def _by_row(where: ItemResults, results: list[Any], ids: Sequence[str], response: "Response") -> Mapping[int, Any]:
    if where.index:
        found = [(usual_results.number(_search(where.index, one)), one) for one in results]
        return {row: one for row, one in found if row is not None and 0 <= row < len(ids)}
    if where.id:
        named = {str(_search(where.id, one)): one for one in results}
        return {row: named[known] for row, known in enumerate(ids) if known in named}
    if len(results) != len(ids):
        raise MisconfiguredError(
            f"{len(results)} results for {len(ids)} rows, and no index or id (items): {response.excerpt}"
        )
    return dict(enumerate(results))


def _outcome(where: ItemResults, result: Any, response: "Response") -> IntegrationError | None:
    words = _reason(where, result)
    if where.accepted and _search(where.accepted, result):
        return None
    if where.retry and _search(where.retry, result):
        return _with_wait(BusyError(words), response)
    if where.status:
        return _of_status(usual_results.number(_search(where.status, result)), words, response)
    return RefusedError(words)


def _of_status(status: int | None, words: str, response: "Response") -> IntegrationError | None:
    """Return what a result of this status means; None where the row was taken. Without a status it is a refusal."""
    if status is None:
        return RefusedError(words)
    said = meaning.of_status(status, words)
    if said is meaning.Meaning.ACCEPTED:
        return None
    text = f"{status}: {words}" if words else str(status)
    found = meaning.failure(response, said, text)
    if isinstance(found, RetriableError) and not isinstance(found, RateLimitedError):
        found = BusyError(text)  # the platform is there, and took others
    if not isinstance(found, RetriableError):
        found = RefusedError(text)  # also 401 and 403: said of this row
    found.status = status
    return _with_wait(found, response)


def _with_wait(found: IntegrationError, response: "Response") -> IntegrationError:
    """A row that is to be sent again waits as long as the whole answer asks for."""
    wait = asked_wait(response.headers)
    return RateLimitedError(str(found), wait) if wait and isinstance(found, RetriableError) else found


def _missing(where: ItemResults) -> IntegrationError | None:
    words = "the answer says nothing of this row"
    if where.missing == "accepted":
        return None
    return BusyError(words) if where.missing == "retry" else RefusedError(words)


def _reason(where: ItemResults, result: Any) -> str:
    found = _search(where.reason, result) if where.reason else None
    if found in (None, "", [], {}):
        found = msgspec.json.encode(result).decode()
    return str(found)[:EXCERPT]


def _search(path: str, document: Any) -> Any:
    try:
        return expressions.search(path, document)
    except ExpressionError as error:
        raise MisconfiguredError(f"“{path}” {error}") from None
