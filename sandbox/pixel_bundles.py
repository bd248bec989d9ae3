"""MediaMath's external data segments: pixel bundles of type data.

`POST /api/v2.0/pixel_bundles` creates one (201), `GET …/{id}` reads it. Where the public description says nothing:
basic authentication as for files, JSON as for taxonomies, and names are unique for a provider. A bundle is for one
advertiser or one agency.
"""

from typing import Annotated, Any, Literal

import msgspec

from sandbox.exchange import RejectedError, SandboxRequest, SandboxResponse, json_response, method_not_allowed
from sandbox.parties import Action

PATH = "/api/v2.0/pixel_bundles"
FIRST_BUNDLE = 501

Id = Annotated[int, msgspec.Meta(ge=1)]


class Bundle(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    pixel_type: Literal["data"]
    provider_id: Id
    eligible: bool
    advertiser_id: Id | None = None
    agency_id: Id | None = None


class PixelBundles:
    """All pixel bundles of an account. `held` has the document of each by its id."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}

    def prepare(self, request: SandboxRequest) -> Action:
        number = request.path.removeprefix(PATH).removeprefix("/")
        if number and number not in self.held:
            raise RejectedError(404, f"no pixel bundle {number}")
        if number:
            if request.method != "GET":
                raise method_not_allowed("GET")
            return Action.without_users(lambda: json_response(self.held[number]))
        if request.method != "POST":
            raise method_not_allowed("POST")
        request.require_json()
        bundle = self._read(request.body)
        return Action.without_users(lambda: self._keep(bundle))

    def _read(self, body: bytes) -> Bundle:
        try:
            found = msgspec.json.decode(body, type=Bundle)
        except msgspec.DecodeError as error:
            raise RejectedError(400, str(error)) from error
        if (found.advertiser_id is None) == (found.agency_id is None):
            raise RejectedError(400, "takes one advertiser_id or one agency_id")
        if any((kept["provider_id"], kept["name"]) == (found.provider_id, found.name) for kept in self.held.values()):
            raise RejectedError(409, f"provider {found.provider_id} has a pixel bundle of that name")
        return found

    def _keep(self, bundle: Bundle) -> SandboxResponse:
        key = str(FIRST_BUNDLE + len(self.held))
        self.held[key] = msgspec.to_builtins(bundle)
        return json_response({"id": int(key)} | self.held[key], 201)
