"""JSON bodies, as strictly as the database will be about them."""

import json
from typing import IO, Any, NoReturn

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser

MOST_BYTES = 2_500_000  # below Django's own limit, which some ways of reading a body meet first


class BodyTooLargeError(APIException):
    status_code = 413
    default_code = "too_large"
    default_detail = f"A body may have {MOST_BYTES} bytes at most."


class StrictJSONParser(JSONParser):
    """Refuses what PostgreSQL's jsonb cannot hold (NUL, lone surrogates, NaN) before anything reads it."""

    def parse(self, stream: IO[Any], *_: Any, **__: Any) -> Any:
        raw = stream.read(MOST_BYTES + 1)
        if len(raw) > MOST_BYTES:
            raise BodyTooLargeError
        try:
            value = json.loads(raw, parse_constant=_refuse_constant)
            json.dumps(value, ensure_ascii=False).encode()
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from None
        if b"\\u0000" in raw and _holds_nul(value):
            raise ParseError("A text in the body holds a NUL character.")
        return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in key or _holds_nul(held) for key, held in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value
