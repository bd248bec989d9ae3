"""Redis as a child process of this one, reached by a Unix socket only; it keeps nothing on disk."""

import signal
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError

from local.embedded.binaries import redis_server
from local.embedded.leftovers import LeftoverProcesses
from local.embedded.places import Places
from local.supervisor.child import ProcessSpec

SOCKET = "redis.sock"


def redis_spec(places: Places, ready: Callable[[], bool]) -> ProcessSpec:
    folder = places.redis.resolve()
    settings = {
        "port": "0",
        "unixsocket": str(places.sockets / SOCKET),
        "unixsocketperm": "700",
        "dir": str(folder),
        "save": "",
        "appendonly": "no",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return ProcessSpec(
        name="redis",
        argv=(
            str(redis_server()),
            *(part for name, value in settings.items() for part in (f"--{name}", value)),
        ),
        folder=folder,
        death_signal=signal.SIGTERM,
        stop_rank=1,
        stop_seconds=1.0,
        may_start=LeftoverProcesses("redis-server", folder, signal.SIGTERM).gone,
        ready=ready,
    )


def answers(redis_url: str) -> bool:
    try:
        with Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2) as client:
            return bool(client.ping())
    except RedisError:
        return False
