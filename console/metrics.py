"""`/metrics` of the console, for Prometheus: how each activation, platform, pixel and import is doing.

It is judged when it is asked for, at most every `KEPT_SECONDS`: a scrape of a large hub sums up many counters.
"""

import hmac
import threading
import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from activation.models import Activation
from core import clock
from core.scope import EVERYTHING
from integrations.models import Platform
from pipeline.health import reading
from pipeline.health.words import HealthState, HealthWord
from pipeline.models import Import
from profiles.models import Pixel

KEPT_SECONDS = 15.0
IMPORTS_SHOWN = timedelta(days=1)
LABELS = ["kind", "id", "customer", "state"]

_lock = threading.Lock()
_kept: list[tuple[float, bytes]] = []


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer whoever shows the token of metrics as a bearer token; others find nothing here."""
    given = request.headers.get("Authorization", "").encode()
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    if not settings.METRICS_TOKEN or not hmac.compare_digest(given, expected):
        return HttpResponse("not found\n", "text/plain", 404, headers={"Cache-Control": "no-store"})
    return HttpResponse(_text(), CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


def _text() -> bytes:
    with _lock:
        if not _kept or time.monotonic() - _kept[0][0] > KEPT_SECONDS:
            _kept[:] = [(time.monotonic(), judged())]
        return _kept[0][1]


def judged() -> bytes:
    """Return the text that Prometheus reads: 1 for the state that each thing is in, 0 for the others."""
    registry = CollectorRegistry()
    gauge = Gauge("dmphub_health", "How a thing is doing: 1 for its state", LABELS, registry=registry)
    activations = list(EVERYTHING.of(Activation).select_related("audience"))
    _note(gauge, "activation", activations, reading.of_activations(activations))
    for kind, model, judge in (("platform", Platform, reading.of_platforms), ("pixel", Pixel, reading.of_pixels)):
        rows: list[Any] = list(EVERYTHING.of(model))
        _note(gauge, kind, rows, judge(rows))
    recent = list(EVERYTHING.of(Import).filter(created_at__gt=clock.now() - IMPORTS_SHOWN))
    _note(gauge, "import", recent, reading.of_imports(recent))
    return generate_latest(registry)


def _note(gauge: Gauge, kind: str, rows: Iterable[Any], words: Mapping[int, HealthWord]) -> None:
    for row in rows:
        customer = row.audience.customer_id if isinstance(row, Activation) else row.customer_id
        for state in HealthState:
            gauge.labels(kind, row.pk, customer, state.value).set(words[row.pk].state is state)
