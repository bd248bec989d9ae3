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


def add_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the one shape of errors to every call."""
    result["components"]["schemas"]["Errors"] = ERRORS
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Errors"}}}
    for calls in result["paths"].values():
        for call in calls.values():
            call["responses"]["default"] = {"description": "It was refused.", "content": content}
    return result
