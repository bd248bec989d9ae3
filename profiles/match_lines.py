"""One line of a match table that a customer uploads: a platform's id, and the user whom it names."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from core import buckets, user_ids
from core.clock import milliseconds
from core.ids.nobody import NO_WORDS, Nobody, OwnWords, why_nobody
from core.ids.spelling import one_spelling
from core.inbox import InboxCommand, InboxKind
from core.limits import RequestLimits, is_sound_id
from core.messages import Id, Match, Sync, encode
from core.patterns import whole
from profiles.events.ids import DEVICES
from profiles.personal.protection import PersonalDataError, Protection, check_platform_id
from profiles.state import USER_KEY

MOST_DAYS = 3650
_NONE: Mapping[int, OwnWords] = {}
_DATA_CENTRE = whole(r"[A-Za-z0-9_-]{1,32}+")


class BadLineError(ValueError):
    """The line cannot be used; the message says why."""


class MatchLine(msgspec.Struct, forbid_unknown_fields=True):
    """A line. It names the user once: by `uuid` (our user id), `user` (the customer's own id), `pl` with `euid`
    (another platform's id), or one device id. `ttl`: days until the match ends; `dc`: the platform's data centre."""

    platform: int
    platform_user_id: str
    uuid: str | None = None
    user: str | int | None = None
    pl: int | None = None
    euid: str | None = None
    devid_g: str | None = None
    devid_a: str | None = None
    devid_o: str | None = None
    devid_u: str | None = None
    idsha1: str | None = None
    idmd5: str | None = None
    ttl: int | None = None
    dc: str | None = None


_decode = msgspec.json.Decoder(MatchLine).decode


class MatchLines:
    """Reads lines by the rules of `/uid` and `/dp`.

    `platforms`: the customer of each platform that may be named; `protections`: how each customer protects personal
    data in clear; `own_words`: the customers' own words for nobody.
    """

    def __init__(
        self,
        platforms: Mapping[int, int],
        protections: Mapping[int, Protection],
        limits: RequestLimits,
        own_words: Mapping[int, OwnWords] = _NONE,
    ) -> None:
        self._platforms = platforms
        self._protections = protections
        self._own_words = own_words
        self._limit = limits.id_bytes

    def read(self, raw: bytes, now: datetime) -> InboxCommand:
        """Returns the inbox row that the line asks for. Raises BadLineError."""
        try:
            line = _decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadLineError(str(error)) from None
        customer = self._platforms.get(line.platform)
        if customer is None:
            raise BadLineError(f"platform: there is no platform {line.platform} that is enabled")
        self._check_platform_user_id(line.platform_user_id, customer)
        extra = _extra(line)
        _check_ttl(line.ttl)
        at = milliseconds(now)
        named = self._named(line, customer)
        if named is None:
            user = _our_id(line.uuid)
            sync = Sync(
                customer=customer,
                platform=line.platform,
                user=user,
                platform_user_id=line.platform_user_id,
                at=at,
                ttl_days=line.ttl,
                extra=extra,
            )
            return InboxCommand(buckets.of_value(line.platform_user_id), InboxKind.SYNC, encode(sync), now)
        named = self._protected(named, customer)
        match = Match(
            customer=customer,
            platform=line.platform,
            platform_user_id=line.platform_user_id,
            id=named,
            at=at,
            ttl_days=line.ttl,
            extra=extra,
        )
        return InboxCommand(buckets.of_value(named[1]), InboxKind.MATCH, encode(match), now)

    def _protected(self, named: Id, customer: int) -> Id:
        """Returns the id as `/dp` keeps it: hashed if it is personal data in clear."""
        kind, value = named
        try:
            return kind, self._protections[customer].id(value)
        except PersonalDataError as found:
            raise BadLineError(f"{'user' if kind == USER_KEY else kind}: {found.message}") from None

    def _check_platform_user_id(self, value: str, customer: int) -> None:
        self._check("platform_user_id", "platform", value, customer)
        try:
            check_platform_id(value)
        except PersonalDataError as found:
            raise BadLineError(f"platform_user_id: {found.message}") from None

    def _check(self, name: str, kind: str, value: str, customer: int) -> None:
        if not value:
            raise BadLineError(f"{name}: is empty")
        if not is_sound_id(value, self._limit):
            raise BadLineError(f"{name}: has more than {self._limit} bytes, or control characters")
        why = why_nobody(kind, value, self._own_words.get(customer, NO_WORDS))
        if why is not None:
            because = ": a macro that was not filled in" if why is Nobody.MACRO else ""
            raise BadLineError(f"{name}: names nobody{because}")

    def _named(self, line: MatchLine, customer: int) -> Id | None:
        """Returns the id that names the user; None if our own user id does."""
        given = _given(line)
        if len(given) + (line.uuid is not None) != 1:
            raise BadLineError(f"name the user once, by uuid, user, pl and euid, or one of {', '.join(DEVICES)}")
        if not given:
            return None
        ((name, (kind, written)),) = given.items()
        value = one_spelling(kind, written)
        self._check(name, kind, value, customer)
        return kind, value


def _given(line: MatchLine) -> dict[str, Id]:
    given: dict[str, Id] = {}
    if line.user is not None:
        given["user"] = ("user", str(line.user))
    if (line.euid is None) != (line.pl is None):
        raise BadLineError("pl and euid go together")
    if line.euid is not None:
        if line.pl is None or not 1 <= line.pl < 10**10:
            raise BadLineError("pl: is no number of a platform")
        given["euid"] = (f"euid:{line.pl}", line.euid)
    for name in DEVICES:
        value = getattr(line, name)
        if value is not None:
            given[name] = (f"device:{name}", value)
    return given


def _our_id(text: str | None) -> str:
    user = user_ids.parse(text or "")
    if user is None:
        raise BadLineError("uuid: is no user id of ours (a version 4 UUID)")
    return user


def _extra(line: MatchLine) -> dict[str, str]:
    if line.dc is None:
        return {}
    if not _DATA_CENTRE(line.dc):
        raise BadLineError("dc: is no name of a data centre")
    return {"dc": line.dc}


def _check_ttl(days: int | None) -> None:
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise BadLineError(f"ttl: must be 1 to {MOST_DAYS} days")
