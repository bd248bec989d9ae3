"""MediaMath's taxonomies: which segments buyers see.

`POST /dmp/v2.0/audience_segments` creates one (201), `POST …/{id}` replaces it as a whole (202), `GET` reads it. Where
the public description says nothing: basic authentication as for files, and a segment for sale needs a code.
"""

from typing import Annotated, Any

import msgspec

from sandbox.exchange import RejectedError, SandboxRequest, SandboxResponse, json_response, method_not_allowed
from sandbox.parties import Action

PATH = "/dmp/v2.0/audience_segments"
FIRST_TAXONOMY = 101
LARGEST_SEGMENT = 2_147_483_647

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
Ids = list[Annotated[int, msgspec.Meta(ge=1)]]


class TaxonomyPermissions(msgspec.Struct, forbid_unknown_fields=True):
    """If all are empty, the taxonomy is global."""

    advertisers: Ids = []
    agencies: Ids = []
    organizations: Ids = []


class TaxonomyNode(msgspec.Struct):
    name: Name
    code: str | int | None = None
    buyable: bool = False
    description: str | None = None
    id: int | None = None
    children: list["TaxonomyNode"] = []


class TaxonomyDocument(msgspec.Struct, forbid_unknown_fields=True):
    audience_vendor_id: int
    permissions: TaxonomyPermissions
    taxonomy: TaxonomyNode
    use_hash: bool = False


class Taxonomies:
    """All taxonomies of an account. `held` has the document of each by its id."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, Any]] = {}

    def prepare(self, request: SandboxRequest) -> Action:
        rest = request.path.removeprefix(PATH)
        number = rest.removeprefix("/")
        if rest and number not in self.held:
            raise RejectedError(404, f"no taxonomy {number}")
        if request.method == "GET" and number:
            return Action.without_users(lambda: json_response(self.held[number]))
        if request.method != "POST":
            raise method_not_allowed("POST")
        request.require_json()
        document = read_taxonomy(request.body)
        return Action.without_users(lambda: self._keep(number, document))

    def _keep(self, number: str, document: dict[str, Any]) -> SandboxResponse:
        key = number or str(FIRST_TAXONOMY + len(self.held))
        self.held[key] = document
        return json_response({"id": int(key)} | document, 202 if number else 201)


def read_taxonomy(body: bytes) -> dict[str, Any]:
    """Return the taxonomy as a document. Raises `RejectedError` (400) if it breaks a rule."""
    try:
        found = msgspec.json.decode(body, type=TaxonomyDocument)
    except msgspec.DecodeError as error:
        raise RejectedError(400, str(error)) from error
    codes: set[str] = set()
    _check(found.taxonomy, codes, hashed=found.use_hash)
    document: dict[str, Any] = msgspec.to_builtins(found)
    return document


def _check(node: TaxonomyNode, codes: set[str], *, hashed: bool) -> None:
    if node.buyable and node.code is None:
        raise RejectedError(400, f"{node.name}: buyable without a code")
    if node.code is not None:
        code = str(node.code)
        if code in codes:
            raise RejectedError(400, f"the code {code} comes twice")
        if not hashed and not (code.isascii() and code.isdecimal() and int(code) <= LARGEST_SEGMENT):
            raise RejectedError(400, f"the code {code} is no segment id (use_hash is false)")
        codes.add(code)
    for child in node.children:
        _check(child, codes, hashed=hashed)
