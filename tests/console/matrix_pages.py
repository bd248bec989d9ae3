"""The table of `test_matrix.py`: every page of the console, who may open it, and who may send what to it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from core.access import Right
from tests.support.tenants import ANOTHER, LOOKALIKE, MARK, NUMBER, OWNER, RULE, STATIC, SUSPECT, USER, twin

READ, PERSONS, CHANGE, ADMINISTER = Right.READ, Right.SEE_PERSONS, Right.CHANGE, Right.ADMINISTER


class Circle(Enum):
    """Whom a page is for where it is not a matter of a right."""

    EVERYBODY = "logged in or not"
    ONESELF = "whoever is logged in"
    HUB = "admins of every customer"
    NOBODY = "not offered"


EVERYBODY, ONESELF, HUB, NOBODY = Circle
Need = Right | Circle
Sent = Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Page:
    """`need` is what somebody must have; `is_own`: the page is about something of the first tenant.

    `sent`: what is sent to it; None: it is asked for. `leads_on`: to a page of the table, whatever the row. `stays`:
    who may not send it is shown the page, and nothing is changed.
    """

    pattern: str
    address: str
    need: Need
    is_own: bool = False
    sent: Sent = None
    leads_on: bool = False
    stays: bool = False

    def twin(self) -> "Page":
        """The same page about what does not exist; the page itself where it names nothing."""
        sent = None if self.sent is None else json.loads(twin(json.dumps(self.sent)))
        return replace(self, address=twin(self.address), sent=sent)


OWNED = {"pk": NUMBER, "object_id": NUMBER, "customer": OWNER, "user_id": USER, "version": 1, "id": NUMBER}
NAMED = OWNED | {"name": SUSPECT, "verdict": "good"}


def page(pattern: str, need: Need, query: str = "", *, sent: Sent = None) -> Page:
    """A page; where the pattern names something, it is the first tenant's."""
    address = pattern
    for name, value in NAMED.items():
        address = re.sub(rf"<(\w+:)?{name}>", str(value), address)
    return Page(pattern, address + query, need, address != pattern, sent)


def changing(pattern: str, need: Need = CHANGE, sent: Sent = None) -> Iterator[Page]:
    """A page that asks first, and changes something when it is sent."""
    yield page(pattern, need)
    yield page(pattern, need, sent=sent or {})


def model(
    name: str, view: Need, change: Need, more: Mapping[str, Need] | None = None, key: int = NUMBER
) -> Iterator[Page]:
    """The pages that Django makes of a model; `more`: the buttons of a row."""
    yield from changing(f"{name}/add/", HUB if name == "core/customer" else change)
    yield page(f"{name}/", view)
    yield replace(page(f"{name}/<path:object_id>/", ONESELF), leads_on=True)
    needs: dict[str, Need] = {"change": view, "history": view, "delete": NOBODY, **(more or {})}
    for button, need in needs.items():
        action = button.replace("_", "-")
        found = page(f"{name}/<path:object_id>/{action}/", need)
        yield _of(key, replace(found, leads_on=button in LEAD_ON))
        if button == "change" or need in (CHANGE, ADMINISTER, HUB, NOBODY):
            yield _of(key, replace(found, need=change if button == "change" else need, sent={}))


def buttons(need: Need, *names: str) -> dict[str, Need]:
    return dict.fromkeys(names, need)


def _of(key: int, found: Page) -> Page:
    return replace(found, address=found.address.replace(str(NUMBER), str(key)))


APP = "^(?P<app_label>"  # of every app: the names of the apps follow
APPS = ("activation", "audiences", "auth", "core", "integrations", "lookalikes", "profiles")
ACCOUNT = (
    *("password/change/", "password/set/", "log-out-everywhere/", "reauthenticate/", "sso/connections/", "2fa/"),
    *(f"2fa/{one}/" for one in ("reauthenticate", "totp/activate", "totp/deactivate")),
    *(f"2fa/recovery-codes/{one}" for one in ("", "download/", "generate/")),
    *(f"2fa/webauthn/{one}" for one in ("", "add/", "reauthenticate/", "keys/<int:pk>/edit/", "keys/<int:pk>/remove/")),
)
OPEN = (
    *("healthz", "readyz", "login/", "logout/", "invitations/<str:token>/"),
    *(f"account/{one}/" for one in ("inactive", "signup", "2fa/authenticate", "2fa/webauthn/login")),
    *(f"account/sso/{one}/" for one in ("callback", "cancelled", "error", "login", "signup")),
    *(f"account/password/reset/{one}" for one in ("", "done/", "key/done/")),
)
RESET = "^account/password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$"
LEAD_ON = {"explain", "sizes", "versions", "match_rate", "export"}
LIVES = ("pause", "resume", "remove")
PLATFORM, USERS = "integrations/platform", "users/<int:customer>/<uuid:user_id>"
VERSIONS = "audiences/<int:pk>/versions"
PAGES = [
    page("", READ),
    replace(page("choose-customer/", READ, sent={"customer": str(OWNER)}), is_own=True),
    page("audiences/estimate/", PERSONS, sent={"customer": str(OWNER), "rule": json.dumps(RULE)}),
    page("audiences/rule-fields/", READ, f"?customer={OWNER}"),
    page("audiences/overlap/", READ, f"?ids={NUMBER}&ids={ANOTHER}"),
    page("audiences/<int:pk>/why/", PERSONS, f"?id={USER}"),
    page("audiences/<int:pk>/size/", READ),
    page(f"{VERSIONS}/", READ),
    *changing(f"{VERSIONS}/go-back/<int:version>/"),
    page(f"{USERS}/export/", PERSONS),
    *changing(f"{USERS}/erase/"),
    page("erasures/", CHANGE),
    page("lists/", READ),
    page("lists/", CHANGE, sent={"customer": str(OWNER), "name": "New list"}),
    _of(STATIC, page("lists/<int:pk>/", READ)),
    _of(STATIC, page("lists/<int:pk>/", CHANGE, sent={"action": "add", "kind": "users", "ids": str(USER)})),
    page("exports/", READ),
    replace(page("exports/", CHANGE, sent={"change": "pause", "export": str(NUMBER)}), is_own=True),
    page("exports/files/<int:pk>/", PERSONS),
    page("imports/", READ),
    replace(page("imports/", CHANGE, sent={"change": "cancel", "import": str(NUMBER)}), is_own=True),
    page("imports/<int:pk>/", READ),
    page("imports/<int:pk>/", CHANGE, sent={}),
    page("imports/<int:pk>/errors/", PERSONS),
    page("hot-ids/", PERSONS),
    page("ids-of-nobody/", READ),
    page("suspect-ids/", PERSONS),
    page("suspect-ids/<str:name>/<str:verdict>/", CHANGE),
    page("suspect-ids/<str:name>/<str:verdict>/", CHANGE, sent={}),
    page("connectors/", READ),
    page("links/", CHANGE, f"?platform={NUMBER}&kind=click&target=https://x.example/"),
    page("look-up/", PERSONS, f"?customer={OWNER}&id={USER}"),
    page("match-rate/", READ, f"?platform={NUMBER}"),
    page("batches/", READ),
    page("dead-letters/", PERSONS),
    page("dead-letters/", CHANGE, sent={"all": "1"}),
    page("platform-health/", READ),
    page("bad-rows/", PERSONS),
    page("bad-rows/", CHANGE, sent={"all": "1"}),
    page("pipeline/", READ),
    page("audit-log/", ADMINISTER),
    page("people/", ADMINISTER),
    *changing("people/invite/", ADMINISTER, {"role": "analyst", "customers": [OWNER]}),
    *changing("people/<int:pk>/", ADMINISTER),
    *changing("people/<int:pk>/remove/", ADMINISTER),
    *changing("people/invitations/<int:pk>/", ADMINISTER),
    page("search/", READ, f"?s={MARK}"),
    page("autocomplete/", READ, "?app_label=audiences&model_name=audience&field_name=customer"),
    page("autocomplete/", HUB, "?app_label=core&model_name=teammember&field_name=user"),
    *model("core/customer", READ, ADMINISTER, key=OWNER),
    *model("core/apikey", ADMINISTER, ADMINISTER, buttons(ADMINISTER, "revoke", "rotate")),
    *model("profiles/pixel", READ, CHANGE, buttons(CHANGE, "rotate_secret")),
    *model("profiles/attribute", READ, CHANGE),
    replace(page("profiles/attribute/", CHANGE, sent={"action": "enable", "_selected_action": [NUMBER]}), stays=True),
    *model(
        "audiences/audience",
        *(READ, CHANGE),
        buttons(READ, "sizes", "versions") | buttons(CHANGE, *LIVES) | buttons(PERSONS, "explain", "export"),
    ),
    *model("lookalikes/lookalike", READ, CHANGE, buttons(CHANGE, "learn", *LIVES), LOOKALIKE),
    *model(
        "activation/activation",
        *(READ, CHANGE),
        buttons(CHANGE, "test", "pause", "resume", "resync", "end") | {"preview": PERSONS},
    ),
    *model(
        PLATFORM,
        *(READ, CHANGE),
        buttons(READ, "match_rate", "sample_file") | buttons(CHANGE, "try_credentials", "rotate_secret"),
    ),
    *(page(f"{PLATFORM}/add/{what}/", CHANGE, sent={"connector": "http"}) for what in ("preview", "check")),
    *(
        page(f"{PLATFORM}/<path:object_id>/change/{what}/", CHANGE, sent={"connector": "http"})
        for what in ("preview", "check")
    ),
    *model("auth/user", HUB, HUB, buttons(HUB, "end_log_ins", "unlock", "forget_second_factors", "new_password_link")),
    *changing("auth/user/<id>/password/", HUB),
    *(Page(APP, f"{name}/", HUB if name == "auth" else READ) for name in APPS),
    page("r/<path:content_type_id>/<path:object_id>/", ONESELF),
    *(page(name, ONESELF) for name in ("jsi18n/", "password_change/", "password_change/done/", r"(?P<url>.*)$")),
    *(page(f"account/{name}", ONESELF) for name in ACCOUNT),
    *(page(name, EVERYBODY) for name in OPEN),
    Page(RESET, "account/password/reset/key/1-set-password/", EVERYBODY),
]
# where a marketer is shown personal data
PERSONAL = {
    *("batches/", "dead-letters/", "bad-rows/", "hot-ids/", "suspect-ids/", "platform-health/", "profiles/attribute/"),
    *("activation/activation/", f"activation/activation/{NUMBER}/change/", f"look-up/?customer={OWNER}&id={USER}"),
}
