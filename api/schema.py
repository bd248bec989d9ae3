"""The parts of the OpenAPI schema that drf-spectacular cannot see by itself: keys, errors, Idempotency-Key."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter

from api.idempotency import HEADER

Extension: Any = OpenApiAuthenticationExtension  # its metaclass has no types

ERRORS = {
    "type": "object",
    "required": ["type", "errors"],
    "properties": {
        "type": {"type": "string", "enum": ["validation_error", "client_error", "server_error"]},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail", "attr"],
                "properties": {
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "attr": {
                        "type": "string",
                        "nullable": True,
                        "description": "The place in the body, e.g. rule.rules[1].value.",
                    },
                },
            },
        },
    },
}


class ApiKeyScheme(Extension):
    target_class = "api.access.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A key made by `manage.py create_api_key` or in the console.",
        }


class ApiSchema(AutoSchema):
    def get_override_parameters(self) -> Any:
        """Add the Idempotency-Key, which every write may carry."""
        if self.method in {"GET", "HEAD"}:
            return []
        description = "The same key with the same request gets the same answer, and is done once."
        return [OpenApiParameter(HEADER, OpenApiTypes.STR, OpenApiParameter.HEADER, description=description)]


REFUSED = {
    "400": "Something in the request is wrong; `attr` says what.",
    "401": "There is no key, or it is not valid.",
    "403": "The key may not do this, or not from this address.",
    "404": "The key sees no such thing.",
    "406": "There is no answer of the kind that `Accept` asks for.",
    "429": "Too many requests, or the customer has used up its share; `Retry-After` says when to come again.",
}
CHANGE_REFUSED = {
    "409": "It collides with what is there, or with another change.",
    "413": "The body is too large.",
    "415": "The body is of a kind that this call does not take.",
    "422": "The `Idempotency-Key` was used for another request.",
}
UNAVAILABLE = "It cannot be done now; `Retry-After` says when to try again."
MAY_BE_UNAVAILABLE = {
    *("audiences_difference_create", "audiences_estimate_create", "audiences_overlap_retrieve"),
    *("imports_create", "mappings_upload_create"),
}
"""The calls that answer 503 where too much is under way."""
FITS_NOT_ALL = {"audiences_model_retrieve"}
"""The calls that read and answer 409, for rows that have no such thing."""


def add_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add to every call how it may be refused, in the one shape of errors. No call has any other status."""
    result["components"]["schemas"]["Errors"] = ERRORS
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}}
    for calls in result["paths"].values():
        for method, call in calls.items():
            refused = REFUSED if method == "get" else REFUSED | CHANGE_REFUSED
            if call["operationId"] in FITS_NOT_ALL:
                refused = refused | {"409": CHANGE_REFUSED["409"]}
            if call["operationId"] in MAY_BE_UNAVAILABLE:
                refused = refused | {"503": UNAVAILABLE}
            for status, description in refused.items():
                call["responses"].setdefault(status, {"description": description, "content": content})
    return result
