"""Writes that can be repeated safely: the same `Idempotency-Key` gets the same answer.

The key's row, the work and the answer are one transaction. A second request with the key waits at the
row until the first has ended: then it finds the answer, or, where the first failed, does the work. So
only answers that changed something are remembered; a refusal changed nothing and may be tried again.
"""

import functools
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, TypeVar, cast

from django.db import transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder
from rest_framework.views import APIView

from api.errors import KeyReusedError
from api.models import IdempotentAnswer
from core import audit
from core.mentions import forms, word
from core.models import ApiKey

HEADER = "Idempotency-Key"
Write = TypeVar("Write", bound=Callable[..., Response])


def once(write: Write) -> Write:
    """Make a write one transaction. With an Idempotency-Key it is done once, and a repeat gets the same answer.

    Fields that the view names in `shown_once` are not kept: a repeat shows them as null.
    """

    @functools.wraps(write)
    def answer(view: APIView, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            row = _claim(request)
            if row is not None and row.status is not None:
                return Response(row.body, row.status, headers={"Idempotent-Replayed": "true"})
            with _audited(view, request):
                response = write(view, request, *args, **kwargs)
            if row is None:
                return response
            _remember(row, response, getattr(view, "shown_once", ()))
            return response

    return cast("Write", answer)


def _audited(view: APIView, request: Request) -> AbstractContextManager[None]:
    """Each write leaves an entry in the audit log: this one, where what it does leaves none."""
    rows = getattr(view, "queryset", None)
    kind = type(view).__name__.removesuffix("View").lower() if rows is None else rows.model._meta.db_table
    action = getattr(view, "action", None) or str(request.method).lower()
    key = request.auth
    customer = key.customer_id if isinstance(key, ApiKey) else None
    return audit.at_least(action, kind, view.kwargs.get("pk", ""), customer=customer)


def forget(before: datetime) -> int:
    """Delete the answers that are kept since earlier than `before`. Returns how many."""
    return IdempotentAnswer.objects.filter(created_at__lt=before).delete()[0]


def forget_answers_with(customer: int, texts: Sequence[str]) -> int:
    """Delete the answers to keys of the customer, or of all customers, that quote one of the ids. Returns how many."""
    keys = Q(api_key__customer=customer) | Q(api_key__customer=None)
    rows = IdempotentAnswer.objects.filter(keys).annotate(text=Cast("body", TextField()))
    quoting = [Q(text__contains=form, text__regex=word(form)) for text in texts for form in forms(text)]
    return rows.filter(reduce(or_, quoting, Q(pk=None))).delete()[0]


def _claim(request: Request) -> IdempotentAnswer | None:
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not 0 < len(key) <= 255:
        raise ValidationError({HEADER: "must have 1 to 255 characters"})
    named = {"api_key": request.auth, "key": key}
    fingerprint = _fingerprint(request)
    IdempotentAnswer.objects.bulk_create([IdempotentAnswer(**named, request=fingerprint)], ignore_conflicts=True)
    row = IdempotentAnswer.objects.get(**named)
    if row.request != fingerprint:
        raise KeyReusedError
    return row


def _fingerprint(request: Request) -> str:
    """The digest has a key, because a body may hold a short secret that a plain digest would betray."""
    said = json.dumps([request.method, request.get_full_path(), request.data], sort_keys=True)
    return salted_hmac("dmphub.idempotency", said, algorithm="sha256").hexdigest()


def _remember(row: IdempotentAnswer, response: Response, hidden: tuple[str, ...]) -> None:
    body: Any = json.loads(json.dumps(response.data, cls=JSONEncoder))
    if isinstance(body, dict):
        body = {name: None if name in hidden else value for name, value in body.items()}
    row.status, row.body = response.status_code, body
    row.save(update_fields=["status", "body"])
