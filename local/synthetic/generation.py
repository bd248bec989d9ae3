"""From a number of people to people in the tables, and in the audiences."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

from audiences.catalogue import FROZEN
from audiences.models import Audience
from audiences.services import resume_audience
from core.database import connect
from local.synthetic.loading import Loader
from local.synthetic.people import BLOCK, Person, PopulationSettings, people
from local.synthetic.seed_customer import seed_customer

AT_ONCE = 8 * BLOCK  # people of one round: twice as many are in memory, in about 300 MB

ANALYSE = "ANALYZE profile, identity, user_mapping"


@dataclass(frozen=True, slots=True)
class Generated:
    """How many people are new, and the audiences that are being built again."""

    new: int
    audiences: list[str]


def generate(m: int, count: int, seed: int, day: date, progress: Callable[[int], None]) -> Generated:
    """The first `count` people of a seed, as of the end of `day`; `progress` is told how many more are done.

    People who are there already stay as they are, so that a run that was ended can be run again. Raises
    `UnsuitableCustomerError`.
    """
    customer = seed_customer(m)
    setting = PopulationSettings(m, seed, customer.user_key, customer.pixels, day)
    connection = connect(durable=False)
    try:
        loader = Loader(connection, setting, customer.platforms)
        for gathered in _ahead(setting, count):
            loader.load(gathered)
            progress(len(gathered))
        connection.execute(ANALYSE)
    finally:
        connection.close()
    return Generated(loader.loaded, _rebuild(m))


def _ahead(setting: PopulationSettings, count: int) -> Iterator[list[Person]]:
    """The next people are made while the database is busy with those before."""
    with ThreadPoolExecutor(1) as maker:
        following = maker.submit(_gather, setting, 0, min(count, AT_ONCE))
        for first in range(AT_ONCE, count + AT_ONCE, AT_ONCE):
            gathered = following.result()
            following = maker.submit(_gather, setting, first, min(count, first + AT_ONCE))
            yield gathered


def _gather(setting: PopulationSettings, first: int, last: int) -> list[Person]:
    """`first` begins a block."""
    blocks = range(first // BLOCK, -(-last // BLOCK))
    return [person for block in blocks for person in people(setting, block) if person.number < last]


def _rebuild(m: int) -> list[str]:
    """Evaluate the customer's audiences for everybody anew; paused ones stay frozen, lookalikes as last scored."""
    waiting = Audience.objects.filter(customer_id=m, kind=Audience.Kind.CUSTOM).exclude(status__in=FROZEN)
    audiences = list(waiting)
    for audience in audiences:
        resume_audience(audience)
    return [audience.name for audience in audiences]
