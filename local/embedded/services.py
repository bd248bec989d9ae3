"""The two services of an installation: where they are, and the processes that serve them."""

from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from core.environment import Environment
from local.embedded import postgres, redis
from local.embedded.account import service_account
from local.embedded.places import Places
from local.supervisor.child import ProcessSpec


@dataclass(frozen=True, slots=True)
class Services:
    """`database_url` as psycopg takes it, `redis_url` as redis-py takes it; both may name a Unix socket."""

    database_url: str
    redis_url: str


def places_of(environment: Environment) -> Places:
    return Places(environment.home, service_account(environment.home))


def addresses(environment: Environment) -> Services:
    """Return where PostgreSQL and Redis are or will be. Starts and makes nothing."""
    sockets = quote(str(places_of(environment).sockets))
    return Services(
        environment.database_url or f"postgresql://{postgres.NAME}@/{postgres.NAME}?host={sockets}",
        environment.redis_url or f"unix://{sockets}/{redis.SOCKET}?db=0",
    )


def process_specs(environment: Environment) -> list[ProcessSpec]:
    """The processes of those services that the environment leaves to us; for who holds the home's lock."""
    if environment.database_url and environment.redis_url:
        return []
    places, services = places_of(environment), addresses(environment)
    places.make()
    specs = []
    if not environment.database_url:
        specs.append(postgres.postgres_spec(places, partial(postgres.answers, services.database_url)))
    if not environment.redis_url:
        specs.append(redis.redis_spec(places, partial(redis.answers, services.redis_url)))
    return specs
