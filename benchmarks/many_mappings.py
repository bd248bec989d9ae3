"""Users by the million, each with one id on the platform: loaded past absorb."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

from benchmarks.absorb import Database
from benchmarks.figures import shown
from benchmarks.report import console
from benchmarks.shop import CUSTOMER, IDENTITIES, MAPPINGS, PROFILES, STAGE, Shop
from core import buckets

CHUNK = 1_000_000  # rows that are staged at a time
SEED = b"5"

KEYS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype = 'p' AND conrelid IN ('profile'::regclass, 'identity'::regclass, 'user_mapping'::regclass)
"""


def user(number: int) -> uuid.UUID:
    """Our id of the `number`-th user: random to look at, and no list of all of them is needed."""
    return uuid.UUID(bytes=blake2b(b"%d" % number, digest_size=16, key=SEED).digest(), version=4)


def known_as(number: int) -> str:
    """The platform's."""
    return blake2b(b"%d" % number, digest_size=12, key=b"platform").hexdigest()


def load(database: Database, shop: Shop, loaded: int, size: int) -> int:
    """Add users to those that are `loaded` until there are `size`, and count them; answers how many there are."""
    names = {"customer": CUSTOMER, "platform": shop.platform}
    began = time.perf_counter()
    with database.cursor() as cursor, _without_keys(database):
        cursor.execute(STAGE)
        for first in range(loaded, size, CHUNK):
            cursor.execute("TRUNCATE bench_user")
            with cursor.copy("COPY bench_user FROM STDIN") as copy:
                for line in _lines(first, min(size, first + CHUNK)):
                    copy.write(line)
            for statement in (PROFILES, IDENTITIES, MAPPINGS):
                cursor.execute(statement, names)
    _count()
    console.print(f"  {shown(size)} mappings loaded in {shown(time.perf_counter() - began)} s", highlight=False)
    return size


def _count() -> None:
    from core.database import connect
    from profiles.user_counts import recount as recount_users
    from usersync.user_counts import recount as recount_mapped

    connection = connect(durable=False)
    with connection.cursor() as cursor:
        for bucket in range(buckets.BUCKETS):
            recount_users(cursor, bucket)
            recount_mapped(cursor, bucket)
    connection.close()


@contextmanager
def _without_keys(database: Database) -> Iterator[None]:
    """Primary keys are made when all rows are there: row by row, ten million take half an hour."""
    keys = database.execute(KEYS).fetchall()
    for table, name, _ in keys:
        database.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    yield
    for table, name, definition in keys:
        database.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")


def _lines(first: int, last: int) -> Iterator[str]:
    for number in range(first, last):
        our_id, theirs = user(number), known_as(number)
        yield f"{buckets.of_user(our_id)}\t{our_id}\t{buckets.of_value(theirs)}\t{theirs}\n"
