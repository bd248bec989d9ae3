"""Conditions that say what an answer means, as data of a platform. The first one that holds decides."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from integrations.answers import expressions, meaning
from integrations.answers.expressions import ExpressionError
from integrations.answers.meaning import EXCERPT, Meaning
from integrations.errors import IntegrationError, RateLimitedError, RefusedError

if TYPE_CHECKING:
    from integrations.http import Response

MOST_CONDITIONS = 50

Status = Annotated[int, msgspec.Meta(ge=100, le=999)] | Annotated[str, msgspec.Meta(pattern="^[1-9]xx$")]
Means = Literal["accepted", "refused_row", "refused_all", "retry", "limited", "broken", "exists"]


class AnswerCondition(msgspec.Struct, forbid_unknown_fields=True):
    """What an answer means where all that is given here holds of it.

    accepted: taken. refused_row: a user is refused for their own sake. refused_all: the segment takes nobody; the
    activation stops. retry: nothing was applied, try again. limited: wait. broken: a person has to act. exists: what
    was to be made is there already.
    """

    means: Means
    status: Annotated[Status | list[Status], msgspec.Meta(description="409, “5xx”, or a list of these")] = []
    contains: Annotated[str, msgspec.Meta(max_length=200, description="A text in the answer, in any case")] = ""
    when: Annotated[str, msgspec.Meta(description="A JMESPath of the answer that must be true")] = ""
    reason: Annotated[str, msgspec.Meta(description="A JMESPath of the answer's own words")] = ""
    after: (
        Annotated[int, msgspec.Meta(ge=1, le=3600, description="limited: seconds to wait, if it does not say")] | None
    ) = None


def faults(conditions: list[AnswerCondition]) -> list[str]:
    """Return every error of the conditions."""
    found = [f"answers: at most {MOST_CONDITIONS}"] if len(conditions) > MOST_CONDITIONS else []
    for place, one in enumerate(conditions):
        if not (one.status or one.contains or one.when):
            found.append(f"answers[{place}]: needs status, contains or when")
        if one.after is not None and one.means != "limited":
            found.append(f"answers[{place}].after: goes with “limited” only")
        found += expression_faults(f"answers[{place}]", when=one.when, reason=one.reason)
    return found


def expression_faults(place: str, **paths: str) -> list[str]:
    """Return what is wrong with these JMESPaths; empty ones are not looked at."""
    found = []
    for name, path in paths.items():
        try:
            expressions.check(path) if path else None
        except ExpressionError as error:
            found.append(f"{place}.{name}: {error}")
    return found


def first_that_holds(conditions: list[AnswerCondition], response: "Response") -> AnswerCondition | None:
    """Return the condition that decides; None where the status does."""
    if not conditions:
        return None
    text = response.body.decode("utf-8", "replace").lower() if any(one.contains for one in conditions) else ""
    document = _document(response) if any(one.when for one in conditions) else None
    return next((one for one in conditions if _holds(one, response.status, text, document)), None)


def failure(condition: AnswerCondition, response: "Response") -> IntegrationError:
    """Return the error that a condition gives an answer which is no success."""
    means = Meaning(condition.means)
    if means is Meaning.RETRY and response.status < 500:
        means = Meaning.BUSY  # the platform is there: nothing is wrong with it as a whole
    found = meaning.failure(response, means, f"HTTP {response.status}: {_reason(condition, response)}")
    if isinstance(found, RateLimitedError) and found.retry_after is None:
        found.retry_after = condition.after
    return found


def _holds(condition: AnswerCondition, status: int, text: str, document: Any) -> bool:
    given = condition.status if isinstance(condition.status, list) else [condition.status]
    if given and not any(one == status or one == f"{status // 100}xx" for one in given):
        return False
    if condition.contains and condition.contains.lower() not in text:
        return False
    return not condition.when or _is_true(condition.when, document)


def _is_true(expression: str, document: Any) -> bool:
    try:
        return bool(expressions.search(expression, document))
    except ExpressionError:
        return False


def _reason(condition: AnswerCondition, response: "Response") -> str:
    if not condition.reason:
        return response.excerpt
    try:
        found = expressions.search(condition.reason, _document(response))
    except ExpressionError:
        found = None
    return response.excerpt if found in (None, "", [], {}) else str(found)[:EXCERPT]


def _document(response: "Response") -> Any:
    try:
        return response.document()
    except RefusedError:
        return None
