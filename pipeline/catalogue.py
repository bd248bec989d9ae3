"""The configuration as the stages use it: compiled by customer, outside of bucket locks, and only what has changed.

A batch works with what is compiled. Under its locks it reads one row of version numbers: where a customer that it needs
has changed since, the batch is rolled back, the customer is compiled, and the batch is tried again (`run`). So a batch
never works with a configuration that is older than what the held buckets were built with, and no tenant waits for the
changes of another.
"""

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.db import DatabaseError, connection
from psycopg import Cursor

from activation import activation_index
from activation.activation_index import ActivationIndex, CustomerActivations
from audiences import catalogue as audience_catalogue
from audiences.catalogue import AudienceCatalogue, CustomerAudiences
from audiences.schema import schemas
from core import problems
from core.days import UTC_DAYS, DayCalendar, days_of
from core.models import Customer
from core.per_customer import Everybody, Outdated, OutdatedConfigurationError, PerCustomer
from core.problems import Subject
from core.steps import Steps
from pipeline import repairs
from profiles.conversion import Conversions, CustomerConversions, load_conversions

CHANGED = """
SELECT version, version - named,
       CASE WHEN version > %s THEN ARRAY(SELECT customer_id FROM customer_version WHERE version > %s) END
FROM configuration_version WHERE id = 1
"""
CUSTOMERS_AT_ONCE = 500
TRIES = 5
UP_TO_DATE = Outdated()

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The configuration as one batch may use it. What a batch asks of a customer that has changed raises."""

    outdated: Outdated
    known: Collection[int]
    audiences: AudienceCatalogue
    activations: ActivationIndex
    conversions: Conversions
    calendars: PerCustomer[DayCalendar]

    def days(self, customer: int) -> DayCalendar:
        """Returns the days of the customer's time zone."""
        return self.calendars.of(customer)

    def check(self, customers: Iterable[int]) -> None:
        """Raises where one of these has changed: before anything is done for them."""
        if self.outdated.customers and any(customer in self.outdated.customers for customer in customers):
            raise OutdatedConfigurationError(self.outdated.version)

    def owner_of(self, message: object) -> int | None:
        """Returns whose the thing is that a message names; None where that is not known."""
        for name, owners in (
            ("audience", self.audiences.customers.owners),
            ("activation", self.activations.customers.owners),
        ):
            if hasattr(message, name):
                return owners.get(getattr(message, name))
        return getattr(message, "customer", None)

    @property
    def customers(self) -> Collection[int]:
        """All customers, for what touches each of them. Raises where others may have come."""
        if self.outdated.customers:
            raise OutdatedConfigurationError(self.outdated.version)
        return self.known


@dataclass(frozen=True, slots=True)
class _Owners:
    """Whose the things are that are known by their ids. Ids never change hands, so entries are only added."""

    audiences: dict[int, int] = field(default_factory=dict)
    activations: dict[int, int] = field(default_factory=dict)
    platforms: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Compiled:
    """Everything as of `version`, by customer. `unnamed` counts the changes so far that named no customers."""

    version: int = -1
    unnamed: int = -1
    audiences: dict[int, CustomerAudiences] = field(default_factory=dict)
    activations: dict[int, CustomerActivations] = field(default_factory=dict)
    conversions: dict[int, CustomerConversions] = field(default_factory=dict)
    calendars: dict[int, DayCalendar] = field(default_factory=dict)
    owners: _Owners = field(default_factory=_Owners)

    def seen_with(self, outdated: Outdated) -> Catalogue:
        owners, nothing = self.owners, CustomerActivations()
        return Catalogue(
            outdated,
            self.conversions.keys(),
            AudienceCatalogue(PerCustomer(self.audiences, audience_catalogue.NOTHING, owners.audiences, outdated)),
            ActivationIndex(
                PerCustomer(self.activations, nothing, owners.activations, outdated),
                PerCustomer(self.activations, nothing, owners.platforms, outdated),
            ),
            Conversions(PerCustomer(self.conversions, CustomerConversions(), {}, outdated)),
            PerCustomer(self.calendars, UTC_DAYS, {}, outdated),
        )

    def followed_by(self, version: int, unnamed: int, changed: Collection[int]) -> "_Compiled":
        """Returns what is compiled of all others, to be completed."""
        return _Compiled(
            version,
            unnamed,
            {key: of for key, of in self.audiences.items() if key not in changed},
            {key: of for key, of in self.activations.items() if key not in changed},
            {key: of for key, of in self.conversions.items() if key not in changed},
            {key: of for key, of in self.calendars.items() if key not in changed},
            self.owners,
        )

    def add(self, customers: Sequence[int], earlier: "_Compiled") -> None:
        """Read and compile these customers."""
        audiences = audience_catalogue.load(customers, schemas(customer_id__in=customers), earlier.audiences)
        zones = Customer.objects.filter(m__in=customers).values_list("m", "time_zone")
        calendars = {customer: days_of(zone) for customer, zone in zones}
        self.take(audiences, activation_index.load(customers), load_conversions(customers), calendars)

    def keep(self, customer: int, earlier: "_Compiled") -> None:
        """Take the customer's configuration as it was."""
        self.take(
            {customer: earlier.audiences.get(customer, audience_catalogue.NOTHING)},
            {customer: earlier.activations.get(customer, CustomerActivations())},
            {customer: earlier.conversions.get(customer, CustomerConversions())},
            {customer: earlier.calendars.get(customer, UTC_DAYS)},
        )

    def take(
        self,
        audiences: dict[int, CustomerAudiences],
        activations: dict[int, CustomerActivations],
        conversions: dict[int, CustomerConversions],
        calendars: dict[int, DayCalendar],
    ) -> None:
        self.audiences.update(audiences)
        self.activations.update(activations)
        self.conversions.update(conversions)
        self.calendars.update(calendars)
        for customer in conversions:
            self.owners.audiences.update(dict.fromkeys(audiences[customer].by_id, customer))
            self.owners.activations.update(dict.fromkeys(activations[customer].by_id, customer))
            self.owners.platforms.update(dict.fromkeys(activations[customer].platforms, customer))

    def broken(self, customers: Collection[int]) -> dict[problems.Problem, tuple[int, str]]:
        """Returns what of these customers' configuration cannot be used, and why."""
        found: dict[problems.Problem, tuple[int, str]] = {}
        for customer in customers:
            kinds = (
                (Subject.ATTRIBUTE, self.conversions[customer].problems),
                (Subject.AUDIENCE, self.audiences[customer].problems),
                (Subject.PLATFORM, self.activations[customer].problems),
                (Subject.ACTIVATION, self.activations[customer].refused),
            )
            found |= {(str(kind), key): (customer, words) for kind, of in kinds for key, words in of.items()}
        return found


class _Store:
    """What this process has compiled: replaced as a whole, by one thread at a time.

    `unnoted`: the customers of whom it is not noted yet what is broken. `inside.on`: this thread compiles under locks.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = threading.local()
        self.unnoted: set[int] = set()
        self.replace(_Compiled())

    def replace(self, compiled: _Compiled) -> None:
        self.present = (compiled, compiled.seen_with(UP_TO_DATE))


_store = _Store()
_steps = Steps(log)


def run(work: Callable[[], Result]) -> Result:
    """Run a transaction; where it needs configuration that has changed, compile that and run the transaction again.

    A configuration that changes all the time is compiled inside the transaction in the end: work has to go on.
    """
    for _ in range(TRIES):
        try:
            return work()
        except OutdatedConfigurationError as outdated:
            at_version(outdated.version)
    _store.inside.on = True
    try:
        return work()
    finally:
        _store.inside.on = False


def current(cursor: Cursor[Any]) -> Catalogue:
    """Returns the configuration for the batch under way. Call it within `run`.

    A transaction calls it after its last lock: what it is given then is not older than what the held buckets were built
    with. Where a customer has changed since it was compiled, the catalogue raises as soon as it is asked for it.
    """
    compiled, catalogue = _store.present
    version, _, outdated = _changed_since(cursor, compiled)
    if not outdated:
        return catalogue
    if getattr(_store.inside, "on", False):
        return at_version(version)
    return compiled.seen_with(Outdated(version, outdated))


def _changed_since(cursor: Any, compiled: _Compiled) -> tuple[int, int, frozenset[int] | Everybody]:
    """Returns the version, the number of changes that named no customers, and who has changed since."""
    cursor.execute(CHANGED, [compiled.version, compiled.version])
    version, unnamed, named = cursor.fetchone() or (0, 0, None)
    if unnamed != compiled.unnamed or version < compiled.version:
        return version, unnamed, Everybody()
    return version, unnamed, frozenset(named or ())


def at_version(version: int) -> Catalogue:
    """Returns the configuration as of `version` or later; what has changed is compiled first."""
    with _store.lock:
        if _store.present[0].version != version:
            _refresh()
        return _store.present[1]


def refresh() -> None:
    """Compile what has changed and note what is broken: it says so although no event needs it.

    Notes of processes that had compiled an older configuration, or were ended before they noted, are corrected.
    """
    with _store.lock:
        _store.unnoted |= problems.customers()
        _refresh()


def _refresh() -> None:
    _store.unnoted |= _compile_changed()
    if _store.unnoted:
        _steps.run("noting what is broken", _note)


def _note() -> None:
    """Note what is broken. Of customers who have changed since, perhaps half was read before: they come later."""
    compiled, _ = _store.present
    with connection.cursor() as cursor:
        _, _, outdated = _changed_since(cursor, compiled)
    noted = {customer for customer in _store.unnoted if customer not in outdated}
    repairs.note(noted, compiled.broken(noted & compiled.conversions.keys()))
    _store.unnoted -= noted


def _compile_changed() -> set[int]:
    """Compile the customers that have changed; returns them, those that are gone included.

    It takes no transaction, which might have to wait for long: what changes meanwhile is newer than `version`, so that
    no batch uses what was read of it.
    """
    before, _ = _store.present
    with connection.cursor() as cursor:
        version, unnamed, outdated = _changed_since(cursor, before)
    if not outdated:
        return set()
    present = Customer.objects.values_list("m", flat=True)
    if isinstance(outdated, Everybody):
        changed = {*present, *before.conversions}
    else:
        changed = set(outdated)
        present = present.filter(m__in=changed)
    compiled = before.followed_by(version, unnamed, changed)
    for some in _groups(sorted(present)):
        _add(compiled, some, before)
    _store.replace(compiled)
    return changed


def _add(compiled: _Compiled, customers: Sequence[int], before: _Compiled) -> None:
    """Compile these customers; one that fails although its rows were looked at one by one stays as it was."""
    try:
        compiled.add(customers, before)
    except DatabaseError:
        raise
    except Exception:
        if len(customers) > 1:
            for customer in customers:
                _add(compiled, [customer], before)
        else:
            log.exception("the configuration of customer %s cannot be compiled: it stays as it was", customers[0])
            compiled.keep(customers[0], before)


def _groups(customers: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(customers), CUSTOMERS_AT_ONCE):
        yield customers[first : first + CUSTOMERS_AT_ONCE]
