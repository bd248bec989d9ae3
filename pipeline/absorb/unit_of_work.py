"""One transaction's batch in memory: loaded at once, changed row by row, saved at once.

`UnitOfWork` only holds the parts together. A handler never takes all of it: the handler's module declares, as a
`Protocol`, the parts that it may read and change.
"""

from datetime import datetime
from typing import Any

from psycopg import Cursor

from core.clock import milliseconds
from pipeline import catalogue
from pipeline.absorb.claims import BatchClaims
from pipeline.absorb.deleted_platforms import DeletedPlatforms
from pipeline.absorb.desired_state import DesiredState
from pipeline.absorb.excess import BatchExcess
from pipeline.absorb.found_ids import BatchFoundIds
from pipeline.absorb.kept_rows import BatchKeptRows
from pipeline.absorb.listings import BatchListings
from pipeline.absorb.loader import BatchLoader, Needs
from pipeline.absorb.mappings import BatchMappings
from pipeline.absorb.memberships import BatchMemberships
from pipeline.absorb.outbox import Outbox
from pipeline.absorb.people import BatchErasures, BatchIdentities, BatchMerges, BatchProfiles
from pipeline.absorb.releases import release_beyond
from pipeline.absorb.suspects import BatchSuspects
from pipeline.bad_rows import BadPart


class UnitOfWork:
    """A batch under way, in the transaction of `cursor`, which holds the locks of `held`.

    Created after the last lock is taken, except those that `DesiredState.apply` adds: it reads the configuration, which
    must not be older than what the held buckets were built with. `now` is its one moment.
    """

    __slots__ = (
        "bad_parts",
        "catalogue",
        "claims",
        "cursor",
        "deleted_platforms",
        "desired",
        "erasures",
        "excess",
        "found_ids",
        "held",
        "identities",
        "kept_rows",
        "listings",
        "mappings",
        "memberships",
        "merges",
        "now",
        "now_ms",
        "outbox",
        "profiles",
        "suspects",
    )

    def __init__(self, cursor: Cursor[Any], held: set[int], now: datetime, needs: Needs | None = None) -> None:
        self.cursor = cursor
        self.held = held
        self.now = now
        self.now_ms = milliseconds(now)
        self.erasures = BatchErasures(cursor)
        self.identities = BatchIdentities(cursor)
        self.profiles = BatchProfiles(cursor, self.erasures)
        if needs is not None:
            BatchLoader(cursor, held, self.profiles, self.identities, self.erasures).load(needs)
        self.suspects = BatchSuspects(cursor, now)
        if needs is not None and needs.watched:
            self.suspects.load({key for key in needs.watched if self.identities.get(*key) is not None})
        self.catalogue = catalogue.current(cursor)
        self.deleted_platforms = DeletedPlatforms(cursor, self.catalogue.activations)
        self.merges = BatchMerges(cursor)
        self.excess = BatchExcess(cursor)
        self.found_ids = BatchFoundIds(cursor)
        self.kept_rows = BatchKeptRows(cursor)
        self.listings = BatchListings(cursor)
        self.mappings = BatchMappings(cursor)
        self.outbox = Outbox(cursor, now)
        self.claims = BatchClaims(cursor, self.outbox)
        self.desired = DesiredState(cursor, held, self.catalogue.activations, self.outbox, now)
        self.memberships = BatchMemberships(cursor, self.catalogue.audiences, self.desired, now)
        self.bad_parts: list[BadPart] = []

    def save(self) -> None:
        """Save what the rows changed, evaluate the audiences that depend on it, and want what follows."""
        self.erasures.save()
        self.found_ids.save()
        self.identities.delete_erased(self.now)
        self.merges.delete_of(self.profiles.erased)
        self.claims.save(self.profiles.loaded())
        self.profiles.save(self.now)
        self.identities.save(self.now)
        self.suspects.save()
        self.excess.save(self.now)
        self.kept_rows.save()
        release_beyond(self, self.mappings.save(self.profiles.new_users))
        self.desired.turned = self.mappings.turned
        self.merges.save(self.now)
        self.listings.save()
        self.memberships.evaluate(lambda evaluation: evaluation.of_changes(self.profiles.loaded()))
        self.desired.want_mappings(self.mappings.kept)

    def finish(self) -> set[tuple[int, int]]:
        """Apply what is wanted of platforms, then append what other buckets have to do: the last step.

        Returns the (platform, bucket)s in which something is to be delivered once the transaction is committed.
        """
        self.desired.apply()
        self.outbox.append()
        return self.desired.touched
