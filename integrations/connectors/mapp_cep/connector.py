"""Mapp CEP (Engage), the e-mail platform (003_c12874631098dc3c.txt): one group an audience, one call a contact."""

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from core.patterns import linear
from integrations.answers import meaning
from integrations.connectors.base import (
    Connector,
    Limits,
    Member,
    Operation,
    Removal,
    Segment,
    SegmentSource,
    Strategy,
)
from integrations.errors import IntegrationError, RateLimitedError, RefusedError, UnauthorizedError
from integrations.http import Request, Response

LONGEST_NAME = 150
OVERLOADED = "Database Access Limit Exceeded"
OVERLOADED_SECONDS = 30.0
OVERLOADED_AGAIN_SECONDS = 900.0
THERE_ALREADY, NOT_THERE = "OBJECT_ALREADY_EXISTS", "NO_SUCH_OBJECT"

# marketers write names in any script; CEP's own pages show these characters correctly
_UNSAFE = linear(r"[^A-Za-z0-9 _.-]+", 10_000)


class CepSettings(msgspec.Struct, forbid_unknown_fields=True):
    """The address of the API, and the group that is cloned for every audience."""

    api_url: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^https?://[^/?#]+(/[^?#]*)?$", description="The REST API, preferably version 6: …/api/rest/v6"
        ),
    ]
    default_group_id: (
        Annotated[int, msgspec.Meta(ge=1, description="cloned for every audience")]
        | Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,19}$")]
    )


class CepCredentials(msgspec.Struct, forbid_unknown_fields=True):
    """A user of the CEP API."""

    username: Annotated[str, msgspec.Meta(min_length=1)]
    password: Annotated[str, msgspec.Meta(min_length=1)]


class MappCep(Connector):
    key = "mapp_cep"
    title = "Mapp CEP"
    description = (
        "Mapp's e-mail platform: an audience becomes a group, contacts who once clicked in a mailing its members."
    )
    settings_type = CepSettings
    credentials_type = CepCredentials
    notes = """
        Before you save: add this platform to the pixels of your site (their integrations), and see that the
        pixel is on the pages that mailings lead to.

        Ask your CEP account manager for two feature switches, both strongly advised: dmp_matching_link_click
        tracks all links in mailings through the cookie domain of the DMP, where the reader is given a cookie
        and matched; dmp_matching_read_message_online does the same when somebody opens a mailing in the
        browser.

        Where the switches are not to be had, make a link once for each mailing (Mail links): the mailing system
        appends ?u= and its placeholder for the contact's id.

        Each audience becomes a group of its own, cloned from the default group. Contacts are subscribed and
        deleted without any mail to them. Only contacts who have clicked a link, or read online, can be in it;
        the link between an e-mail address and anonymous data is never quite exact.
    """
    default_limits = Limits(per_second=10)
    timeout = 40.0  # CEP asks for more than 30 s

    strategy = Strategy.NO_BATCH
    segment_source = SegmentSource.CREATED
    removal = Removal.CALL

    # ── groups ───────────────────────────────────────────────────────────────────────────────────────

    def creation_request(self, segment: Segment, timestamp: int) -> Request:
        """Clone the default group. Name and address contain the time, because an earlier attempt may have used both."""
        made = datetime.fromtimestamp(timestamp, UTC)
        host = urlsplit(self.settings.api_url).hostname or "localhost"
        group = {
            "name": group_name(segment, made),
            "description": f"Audience {segment.audience} of the DMP",
            "email": f"dmp-{segment.platform}-{segment.activation}-{timestamp}@{host}",
            "includePreparedMessages": False,
            "includeTestUsers": False,
            "keepOwner": True,
            "withOwnerAsMember": False,
        }
        return self._call("POST", "group/clone", {"groupId": self.settings.default_group_id}, group)

    def segment_id(self, segment: Segment, response: Response) -> Any:
        found = response.json_object().get("id")
        if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
            raise RefusedError(f"the answer has no id of the new group: {response.excerpt}")
        return found

    # ── contacts ─────────────────────────────────────────────────────────────────────────────────────

    def push(self, operation: Operation, members: Sequence[Member], timestamp: int) -> Request:
        """In this mode, subscribing and deleting never mail anybody. `unsubscribe` would, so it is not used."""
        (member,) = members
        query = {"userId": member.platform_user_id, "groupId": member.segment.id}
        if operation is Operation.ADD:
            return self._call("POST", "membership/subscribe", {**query, "subscriptionMode": "OPT_IN"})
        return self._call("DELETE", "membership/delete", query)

    def succeeded(self, response: Response) -> bool:
        """Also accept a 400 that says that nothing had to change, or that `outcomes` has to read."""
        return super().succeeded(response) or (
            response.status == 400 and response.json_object().get("errorCode") in {THERE_ALREADY, NOT_THERE}
        )

    def outcomes(
        self, operation: Operation, members: Sequence[Member], response: Response
    ) -> Sequence[IntegrationError | None]:
        """A contact that does not exist need not be removed, but cannot be added."""
        missing = response.status == 400 and response.json_object().get("errorCode") == NOT_THERE
        if missing and operation is Operation.ADD:
            return [RefusedError(_reason(response))] * len(members)
        return [None] * len(members)

    def failure(self, response: Response) -> IntegrationError:
        """Above about ten calls a second CEP responds with 500, without saying how long to wait."""
        document = response.json_object()
        if response.status == 500 and OVERLOADED.encode() in response.body:
            return RateLimitedError(f"HTTP 500: {OVERLOADED}", OVERLOADED_SECONDS, OVERLOADED_AGAIN_SECONDS)
        if response.status == 417:
            return UnauthorizedError(f"the account has expired: {_reason(response)}")
        if response.status < 500 and document.get("errorCode") == "PERMISSION_DENIED":
            return UnauthorizedError(_reason(response))
        return meaning.failure(response)

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────

    def check_requests(self) -> list[Request]:
        default = {"groupId": self.settings.default_group_id}
        return [self._call("GET", "system/getApiVersion"), self._call("GET", "group/get", default)]

    def read_checks(self, responses: Sequence[Response]) -> dict[str, Any]:
        """Return the version of the API and the default group. Raises `RefusedError` if there is no such group."""
        version, group = responses
        found = group.json_object()
        if NOT_THERE in {answer.json_object().get("errorCode") for answer in responses} or "id" not in found:
            raise RefusedError(f"there is no default group {self.settings.default_group_id}: {group.excerpt}")
        api_version = version.json_object().get("apiVersion") or version.excerpt.strip().strip('"')
        return {"api_version": api_version, "default_group": found.get("name")}

    def _call(
        self, method: str, path: str, query: dict[str, Any] | None = None, body: dict[str, Any] | None = None
    ) -> Request:
        url = f"{self.settings.api_url.rstrip('/')}/{path}"
        if query:
            url += f"?{urlencode(query, quote_via=quote, safe='')}"
        headers = {"Accept": "application/json"}
        raw = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            raw = msgspec.json.encode(body)
        return Request(method, url, headers, raw, (self.credentials.username, self.credentials.password))


def group_name(segment: Segment, made: datetime) -> str:
    """Return a unique name of at most 150 safe characters."""
    ending = f" - DMP {segment.platform}-{segment.activation} {made:%Y-%m-%d %H.%M.%S}"
    plain = unicodedata.normalize("NFKD", segment.name[:LONGEST_NAME]).encode("ascii", "ignore").decode()
    safe = " ".join(_UNSAFE.sub(" ", plain).split()).strip(" ._-") or f"Audience {segment.audience}"
    return safe[: LONGEST_NAME - len(ending)].rstrip() + ending


def _reason(response: Response) -> str:
    """Return the status with CEP's own error, if it gives one."""
    document = response.json_object()
    words = [str(document[key]) for key in ("errorCode", "message") if document.get(key)]
    return f"HTTP {response.status}: {': '.join(words)[: meaning.EXCERPT] or response.excerpt}"
