"""Two tenants side by side: the first has one of everything, the second has nothing and asks for what is the first's.

`NUMBER` is the number of everything of the first tenant that has one. `MARK` stands in its texts, and `PERSON` in those
that are personal data. What exists has a `twin` that nobody has: who may not see the one is answered as for the other.
"""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User

from activation.models import (
    Activation,
    Batch,
    DeadLetter,
    Delivery,
    Health,
    LetterReplay,
    ReplayedBucket,
    UploadedFile,
)
from audiences.models import Audience, AudienceVersion, ListChange, Membership
from core import buckets, clock
from core.access import Role
from core.inbox import InboxKind
from core.models import ApiKey, AuditEntry, BadRow, Customer
from core.people.models import Invitation, TeamMember
from integrations.models import Platform
from lookalikes.models import LookalikeRun
from pipeline.exports import files as exported
from pipeline.models import Erasure, Export, ExportRun, Import, ImportSchedule, ImportTemplate
from profiles.judging import IdName
from profiles.models import Attribute, AttributeStatistics, Identity, Pixel, Profile, SharedId, WatchedId
from usersync.models import UserMapping

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OWNER, OTHER = 4701, 4702
NUMBER, ANOTHER, LOOKALIKE, STATIC = 4711, 4712, 4713, 4714
MARK, PERSON = "Kensington", "Pemberton"
USER = uuid.UUID("5b0d4c3e-9f63-4d25-8c0e-30f2a6c1d7aa")
ERASURE = uuid.UUID("5b0d4c3e-9f63-4d25-8c0e-30f2a6c1d7ab")
SUSPECT = IdName(OWNER, "user", f"{PERSON}-of-many")
_TWINS = {
    str(OWNER): "4709",
    str(NUMBER): "4719",
    str(ANOTHER): "4718",
    str(LOOKALIKE): "4717",
    str(STATIC): "4716",
    str(USER): str(USER).replace("5b0d", "5b0e"),
    str(ERASURE): str(ERASURE).replace("5b0d", "5b0e"),
    str(SUSPECT): str(SUSPECT._replace(value="nobody-of-many")),
}
BUCKET = buckets.of_user(USER)
RULE: dict[str, Any] = {
    "combinator": "and",
    "rules": [{"field": f"pixel.{NUMBER}.count", "operator": ">=", "value": 1}],
}
CALL = {"method": "POST", "url": "https://ads.example/", "body": [{"segment": "{{segment_id}}", "id": "{{userid}}"}]}
SETTINGS: dict[str, Any] = {"add": CALL, "remove": {**CALL, "method": "DELETE"}}


def twin(text: str) -> str:
    """Return the text with numbers and ids that nobody has in place of the first tenant's."""
    return _replaced(text, _TWINS.items())


def alike(text: str) -> str:
    """Return the text with one sign for all that exists and for the twins, so that two answers can be compared."""
    return _replaced(text, ((one, "#") for pair in _TWINS.items() for one in pair))


def changes() -> int:
    """Return how many changes of what is the first tenant's are in the audit log."""
    return AuditEntry.objects.filter(customer_id=OWNER).exclude(action="refuse").count()


def _replaced(text: str, pairs: Iterable[tuple[str, str]]) -> str:
    for before, after in pairs:
        text = text.replace(before, after)
    return text


def two_tenants() -> None:
    """Make both. Nobody's keys are throttled."""
    limits = {"requests_per_minute": 1_000_000}
    owner = Customer.objects.create(m=OWNER, name=f"{MARK} shop", limits=limits)
    Customer.objects.create(m=OTHER, name="Rival", limits=limits)
    _configuration(owner)
    _team(owner)
    _people()
    _logs(owner)


def _configuration(owner: Customer) -> None:
    signed = {"auth": Pixel.Auth.SIGNED, "signing_secrets": ["very-secure"]}
    Pixel.objects.create(id=NUMBER, customer=owner, name=f"{MARK} page", user_key="UserId", **signed)
    attribute = Attribute.objects.create(pk=NUMBER, customer=owner, path=f"{MARK}.age")
    AttributeStatistics.objects.create(attribute_id=attribute.pk, first_seen=NOW, last_seen=NOW, examples=[PERSON])
    platform = Platform.objects.create(
        pl=NUMBER, customer=owner, name=f"{MARK} ads", connector="http", settings=SETTINGS, sync_secrets=["verysecure"]
    )
    live = {"customer": owner, "rule": RULE, "status": Audience.Status.LIVE}
    audience = Audience.objects.create(pk=NUMBER, name=f"{MARK} visitors", **live)
    Audience.objects.create(pk=ANOTHER, name=f"{MARK} buyers", **live)
    kind = {"kind": Audience.Kind.LOOKALIKE, "seed": audience, "reach": {"percent": 5}}
    lookalike = Audience.objects.create(
        pk=LOOKALIKE, customer=owner, name=f"{MARK} more", status=Audience.Status.LIVE, **kind
    )
    LookalikeRun.objects.create(audience=lookalike)
    static = Audience.objects.create(
        pk=STATIC, customer=owner, name=f"{MARK} list", kind=Audience.Kind.STATIC, status=Audience.Status.LIVE
    )
    ListChange.objects.create(pk=NUMBER, audience=static, action="add", given=1, by=MARK, at=NOW)
    AudienceVersion.objects.create(audience=audience, version=1, rule=RULE, change=MARK, by=MARK, at=NOW)
    sent = {"settings": {"segment_id": 1}, "segment_id": 1, "status": Activation.Status.LIVE}
    error = f"HTTP 422: {PERSON} is nobody"  # platforms quote what they were sent
    Activation.objects.create(pk=NUMBER, audience=audience, platform=platform, last_error=error, **sent)
    until = clock.now() + timedelta(days=1)
    Health.objects.create(platform_id=NUMBER, state=Health.State.OPEN, until=until, reason=error, changed_at=NOW)


def _team(owner: Customer) -> None:
    person = User.objects.create(pk=NUMBER, username=f"{MARK} person", is_staff=True)
    TeamMember.objects.create(user=person, role=Role.ANALYST, customer=owner)
    until = clock.now() + timedelta(days=1)
    Invitation.objects.create(
        pk=NUMBER, role=Role.ANALYST, customers=[OWNER], digest="-", created_by=MARK, created_at=NOW, expires_at=until
    )


def _people() -> None:
    of_user = {"bucket": BUCKET, "customer_id": OWNER, "user_id": USER}
    ids, attributes = [["user", PERSON], [f"platform:{NUMBER}", f"{PERSON}-id"]], {"of": PERSON}
    Profile.objects.create(**of_user, created_at=NOW, updated_at=NOW, confirmed=True, attributes=attributes, ids=ids)
    for kind, value in ids:
        place = {"bucket": buckets.of_value(value), "customer_id": OWNER, "kind": kind, "value": value}
        Identity.objects.create(**place, user_id=USER, since=NOW)
    SharedId.objects.create(**of_user, kind="user", value=f"{PERSON}-shared", times=3, first_at=NOW, last_at=NOW)
    suspect = {"bucket": buckets.of_value(SUSPECT.value), "customer_id": OWNER, "kind": "user", "value": SUSPECT.value}
    WatchedId.objects.create(**suspect, suspect_at=NOW)
    match = {"platform_id": NUMBER, "platform_user_id": f"{PERSON}-id", "epoch": 1, "synced_at": NOW}
    UserMapping.objects.create(**of_user, **match)
    Membership.objects.create(**of_user, audience_id=NUMBER, member=True, since=NOW)


def _logs(owner: Customer) -> None:
    of_id = {"bucket": buckets.of_value(f"{PERSON}-id"), "activation_id": NUMBER, "platform_user_id": f"{PERSON}-id"}
    of_id |= {"platform_id": NUMBER, "user_id": USER}
    state = {"epoch": 1, "version": 1, "wanted": True, "acknowledged": None, "changed_at": NOW, "dead": True}
    Delivery.objects.create(**of_id, **state)
    DeadLetter.objects.create(**of_id, operation="add", reason=PERSON, response_excerpt=PERSON, attempts=1, died_at=NOW)
    Batch.objects.create(
        bucket=0,
        id=ERASURE,
        platform_id=NUMBER,
        activations=[NUMBER],
        operation="add",
        status="done",
        rows=1,
        started_at=NOW,
        request_excerpt=PERSON,
        response_excerpt=PERSON,
        error=PERSON,
    )
    UploadedFile.objects.create(
        platform_id=NUMBER, file_name=f"{MARK}.tsv", batch=ERASURE, rows=1, fate="bad", reason=PERSON, uploaded_at=NOW
    )
    replay = LetterReplay.objects.create(customer_id=OWNER, activation_id=NUMBER, letters=1, requested_at=NOW)
    ReplayedBucket.objects.create(bucket=0, replay_id=replay.pk, done=True)
    bad = {"kind": InboxKind.EVENT, "query": PERSON.encode(), "reason": PERSON, "received_at": NOW, "failed_at": NOW}
    BadRow.objects.create(bucket=0, id=1, customer_id=OWNER, **bad)
    scheduled = {"pixel_id": NUMBER, "platform_id": NUMBER, "due_at": NOW}
    ImportSchedule.objects.create(pk=NUMBER, customer_id=OWNER, name=f"{MARK} schedule", **scheduled)
    ImportTemplate.objects.create(pk=NUMBER, customer_id=OWNER, name=f"{MARK} template")
    Import.objects.create(
        pk=NUMBER,
        customer=owner,
        pixel_id=NUMBER,
        name=f"{MARK}.csv",
        format="csv",
        dry_run=True,
        kept=True,
        status=Import.Status.DONE,
        created_at=NOW,
        report={"new_users": 0, "known_users": 0, "new_attributes": []},
    )
    of_audience = {"customer": owner, "audience_id": NUMBER, "created_by": MARK, "starts_at": NOW}
    export = Export.objects.create(pk=NUMBER, name=f"{MARK} members", **of_audience)
    ExportRun.objects.create(pk=NUMBER, export=export, slot=NOW, status="done", kept=True, file_name=f"{MARK}.csv")
    place = exported.kept_file(OWNER, NUMBER)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"uuid,of\r\n{USER},{PERSON}\r\n")
    ApiKey.objects.create(pk=NUMBER, name=f"{MARK} key", prefix=MARK, digest="-", role="admin", customer=owner)
    entry = {"actor_kind": AuditEntry.ActorKind.PERSON, "door": AuditEntry.Door.CONSOLE, "action": "change"}
    AuditEntry.objects.create(pk=NUMBER, at=NOW, actor=MARK, customer_id=OWNER, object="pixel", name=MARK, **entry)
    Erasure.objects.create(id=ERASURE, customer_id=OWNER, id_hash=b"-", requested_by=MARK, requested_at=NOW)
