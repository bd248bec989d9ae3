"""Requests to the REST API that schemathesis draws from its OpenAPI schema, and what was wrong with the answers.

An answer must have a status and a content type that the schema names for that call, and a body of the shape that it
gives; it is no error of the server's (503 where the schema names it apart), and shows nothing that is `Planted`.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import FailureGroup
from schemathesis.engine import events, from_schema

from tests.support.planted import Planted

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
    "response_headers_conformance",
)
SHOWN = 1_500  # characters of a fault
EXAMPLES = hypothesis.settings(
    max_examples=2,  # the first one is the simplest there is
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@schemathesis.serializer("application/x-ndjson")
def _lines(context: Any, value: Any) -> bytes:
    """One line; or what was drawn, where that is bytes."""
    return value if isinstance(value, bytes) else json.dumps(value).encode() + b"\n"


@dataclass
class ApiFuzzReport:
    """`faults`: each kind of fault once, with the request that shows it. `notes`: what drawing calls met with."""

    calls: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)

    def told(self) -> str:
        statuses = ", ".join(f"{status} {count:,}" for status, count in sorted(self.statuses.items()))
        notes = "".join(f"\n  {count} times {note}" for note, count in self.notes.items())
        return f"{self.calls.total():,} calls of {len(self.calls)} kinds: {statuses}{notes}"

    def add(self, title: str, said: str) -> None:
        self.faults.setdefault(title, said[:SHOWN])


class ApiFuzz:
    """At the console's `url`, which serves the API."""

    def __init__(self, url: str, seed: int) -> None:
        load_all_checks()
        self._url, self._seed = url, seed

    def every_call(self, keys: Mapping[str, str], unseen: Mapping[str, Planted]) -> dict[str, ApiFuzzReport]:
        """Make each call with the first role of `unseen` and one of the others in turn, the same each time.

        Whoever has no key sends none.
        """
        reports = {role: ApiFuzzReport() for role in unseen}
        first, *others = unseen
        for number, found in enumerate(self._schema({}).get_all_operations()):
            operation = found.ok()
            case = _drawn(operation, self._seed)
            for role in (first, others[number % len(others)]):
                report = reports[role]
                headers = {"Authorization": f"Bearer {keys[role]}"} if role in keys else {}
                response = case.call(headers=headers, timeout=60)
                _look_at(report, operation.label, response.request, response, unseen[role])
                try:
                    case.validate_response(response)
                except FailureGroup as group:
                    for failure in group.exceptions:
                        report.add(f"{operation.label}: {failure.title}", str(failure))
        return reports

    def for_long(self, key: str | None, unseen: Planted, seconds: int) -> ApiFuzzReport:
        """Make calls in sequences in which one uses what another returned."""
        report = ApiFuzzReport()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        schema = self._schema({"headers": headers, "fuzz": {"max-time": seconds}})
        for event in from_schema(schema).fuzz():
            if isinstance(event, events.FuzzScenarioFinished):
                _look_at_all(report, event.recorder, unseen)
            elif isinstance(event, events.NonFatalError) and isinstance(event.value, requests.RequestException):
                report.add(f"{event.label}: no answer", repr(event.value))
            elif isinstance(event, events.NonFatalError):
                report.notes[f"{event.label}: {event.info.title}"] += 1
            elif isinstance(event, events.FatalError):
                raise event.exception
        return report

    def _schema(self, more: dict[str, Any]) -> Any:
        checks: dict[str, Any] = {"enabled": False, **{name: {"enabled": True} for name in CHECKS}}
        checks["not_a_server_error"]["expected-statuses"] = ["2xx", "3xx", "4xx", "503"]
        settings = {
            "seed": self._seed,
            "base-url": self._url,
            "continue-on-failure": True,
            "cache": {"enabled": False},
            "request-timeout": 60,
            "checks": checks,
            "generation": {"database": "none", "no-shrink": True, "with-security-parameters": False},
            **more,
        }
        return schemathesis.openapi.from_url(
            f"{self._url}/api/v1/schema/?format=json", config=schemathesis.Config.from_dict(settings)
        )


def _drawn(operation: Any, seed: int) -> Any:
    """A call that the schema allows, of the first row of its kind."""
    drawn: list[Any] = []

    @hypothesis.seed(seed)
    @EXAMPLES
    @hypothesis.given(operation.as_strategy())
    def draw(case: Any) -> None:
        drawn.append(case)

    draw()
    case = drawn[-1]
    case.path_parameters = {name: 1 if str(value).isdigit() else value for name, value in case.path_parameters.items()}
    return case


def _look_at_all(report: ApiFuzzReport, recorder: Any, unseen: Planted) -> None:
    for case, interaction in recorder.interactions.items():
        label, response = recorder.cases[case].value.operation.label, interaction.response
        if response is None:
            continue
        said = _look_at(report, label, response.request, response, unseen)
        failed: Iterable[Any] = (check for check in recorder.checks.get(case, ()) if check.failure_info is not None)
        for check in failed:
            failure = check.failure_info.failure
            report.add(f"{label}: {failure.title}", f"{failure.message}\n{said}\n{response.content[:500]!r}")


def _look_at(report: ApiFuzzReport, label: str, request: Any, response: Any, unseen: Planted) -> str:
    """Count an answer, and look for what it may not show; returns what was asked."""
    report.calls[label] += 1
    report.statuses[response.status_code] += 1
    said = f"{request.method} {request.url} {request.body!r}"
    for name in unseen.seen_in(response.content + repr(response.headers).encode(), said.encode()):
        report.add(f"{label}: shows {name}", said)
    return said
