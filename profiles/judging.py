"""A person judges a suspect id: it is one person's after all, or it names nobody from now on."""

import base64
import binascii
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet

from core import audit, buckets, clock
from core.ids.nobody import own_word
from core.inbox import InboxCommand, InboxKind
from core.models import Customer
from core.own_ids import MOST_WORDS
from core.transactions import send
from profiles.messages import JudgeId, encode
from profiles.models import WatchedId
from profiles.suspects import BAD, GOOD


class FullListError(Exception):
    """The customer has as many words for nobody as there may be."""


class IdName(NamedTuple):
    """How a suspect id is named outside: it may hold signs that no address holds."""

    customer: int
    kind: str
    value: str

    def __str__(self) -> str:
        raw = f"{self.customer}|{self.kind}|{self.value}".encode()
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def read_name(text: str) -> IdName | None:
    """Returns what `str` of an `IdName` says; None if it is none."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    customer, _, rest = raw.partition("|")
    kind, separator, value = rest.partition("|")
    if not separator or not customer.isascii() or not customer.isdigit() or len(customer) > 9 or "\0" in raw:
        return None
    return IdName(int(customer), kind, value)


def suspects_among(rows: QuerySet[WatchedId]) -> QuerySet[WatchedId]:
    """Returns the ids that are suspect, or were until they were judged."""
    return rows.filter(suspect_at__isnull=False)


def judge(row: WatchedId, *, good: bool) -> None:
    """What waited for the id happens; or the id names nobody, and is a word of the customer's. Raises FullListError."""
    with transaction.atomic():
        if not good:
            _add_word(row.customer_id, row.value)
        message = JudgeId(customer=row.customer_id, kind=row.kind, value=row.value, good=good)
        audit.record("judge", "suspect_id", customer=row.customer_id, after={"kind": row.kind, "good": good})
        send([InboxCommand(buckets.of_value(row.value), InboxKind.JUDGE_ID, encode(message), clock.now())])
    row.verdict = GOOD if good else BAD


def _add_word(customer: int, value: str) -> None:
    row = Customer.objects.select_for_update().get(pk=customer)
    word = own_word(value)
    if word in {own_word(one) for one in row.nobody_words}:
        return
    if len(row.nobody_words) >= MOST_WORDS:
        raise FullListError
    row.nobody_words = [*row.nobody_words, word]
    row.save()
