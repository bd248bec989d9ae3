"""What becomes of rows that a platform did not accept, by what the error says to do next."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from activation.delivery import activation_status
from activation.delivery.platform_client import PlatformClient
from activation.delivery.retry import MOST_ATTEMPTS, MOST_DEATHS, longest_wait
from activation.stores.batches import BatchRecord
from activation.stores.claims import ClaimedRow
from activation.stores.outcomes import ClaimOutcomes
from integrations.connectors.base import Connector
from integrations.errors import BusyError, IntegrationError, RateLimitedError, RetriableError, UnansweredError

# how long an activation that ends waits where its platform refuses everything: it cannot become broken
ENDING_WAIT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Settlement:
    """Records what came of the rows of one claim in `outcomes`, and why in `record`."""

    client: PlatformClient
    outcomes: ClaimOutcomes
    record: BatchRecord

    def set_aside(self, rows: list[ClaimedRow]) -> list[ClaimedRow]:
        """Give up rows over which their sender died each time, or that were tried too often. Returns the others."""
        killers = [row for row in rows if row.orphaned and row.attempts > MOST_DEATHS]
        exhausted = [row for row in rows if row.attempts > MOST_ATTEMPTS and row not in killers]
        for found, reason in ((killers, "its sender died each time"), (exhausted, "it was tried too often")):
            if found:
                self.outcomes.refused(found, reason, "")
                self.record.error = reason
        left = set(rows).difference(killers, exhausted)
        return [row for row in rows if row in left]

    def give_back(self, rows: list[ClaimedRow], failure: IntegrationError) -> None:
        """Record a failure of rows that cannot be told apart any further."""
        error = str(failure)
        if isinstance(failure, RateLimitedError):
            self.outcomes.unsent(rows, error, timedelta(seconds=failure.retry_after or 1))
        elif isinstance(failure, UnansweredError):
            self.outcomes.failed(rows, error, self.client.lease.left)
        elif isinstance(failure, BusyError):
            # they wait together: spread out, they would ask a platform that is there again and again
            self.outcomes.failed(rows, error, longest_wait(max(row.attempts for row in rows)))
        elif isinstance(failure, RetriableError):
            self.outcomes.failed(rows, error)
        else:
            self.outcomes.refused(rows, error, failure.excerpt)
        self.record.error = error

    def mark_broken(self, rows: list[ClaimedRow], failure: IntegrationError) -> None:
        """A person has to act: what is due waits, and costs no attempt."""
        ending = self.client.target.ending_activations
        self.outcomes.unsent([row for row in rows if row.activation not in ending], str(failure))
        self.outcomes.unsent([row for row in rows if row.activation in ending], str(failure), ENDING_WAIT)
        self._note_broken(rows, failure)

    def unread(self, rows: list[ClaimedRow], failure: IntegrationError) -> None:
        """The platform may have taken the rows, and nobody can read what it says: they are sent again one day."""
        self.record.error = str(failure)
        self.outcomes.failed(rows, str(failure))
        self._note_broken(rows, failure)

    def _note_broken(self, rows: list[ClaimedRow], failure: IntegrationError) -> None:
        target = self.client.target
        activations = {row.activation for row in rows}
        activation_status.note_failure(target.platform, activations, target.ending_activations, failure)


def expiry(connector: Connector, at: datetime, *, added: bool) -> datetime | None:
    """Returns when the platform forgets an id that it was sent at `at`. None where it keeps it, or has removed it."""
    return at + timedelta(days=connector.ttl_days) if added and connector.ttl_days else None
