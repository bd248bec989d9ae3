"""MediaMath's Event API, one event a request: `POST /mediamath/event/img?mt_id=…&mt_adid=…&mt_uuid=…&source=s2s`.

The advertiser (`mt_adid`, in the document's text `mt_aid`) is the account. At most 1,000 events a second, for all
accounts together.
"""

import re

from sandbox.event_rules import EventAccount, check_guid
from sandbox.exchange import RejectedError, SandboxRequest, SandboxResponse, method_not_allowed, parameters
from sandbox.parties import Action, ThirdParty
from sandbox.rates import Window

PATH = "/mediamath/event/img"
EVENTS_A_SECOND = 1000
GIF = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)  # 1x1, transparent
SEEN = SandboxResponse(200, GIF, ((b"content-type", b"image/gif"),))


class Events(ThirdParty[EventAccount]):
    name = "mediamath-event"

    def __init__(self) -> None:
        super().__init__()
        self._rate = Window(EVENTS_A_SECOND)

    def new_account(self) -> EventAccount:
        return EventAccount()

    def serves(self, path: str) -> bool:
        return path == PATH

    def identify(self, request: SandboxRequest) -> str:
        given = parameters(request.query, empty=True)
        named = {given[name] for name in ("mt_adid", "mt_aid") if name in given}
        if len(named) != 1:
            raise RejectedError(400, "the advertiser is missing, or named twice")
        advertiser = named.pop()
        if not re.fullmatch(r"\d{1,18}", advertiser, re.ASCII):
            raise RejectedError(400, "the advertiser is not an integer")
        return advertiser

    def prepare(self, account: EventAccount, request: SandboxRequest) -> Action:
        if not self._rate.admits():
            raise RejectedError(429, f"more than {EVENTS_A_SECOND} events a second")
        if request.method != "POST":
            raise method_not_allowed("POST")
        event = parameters(request.query, empty=True)
        if event.get("source") != "s2s":
            raise RejectedError(400, "source is not s2s")
        check_guid(event)
        account.check(event)

        def apply() -> SandboxResponse:
            account.apply(event)
            return SEEN

        return Action(lambda userid: event.get("mt_uuid") == userid, apply)
