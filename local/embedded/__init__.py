"""PostgreSQL and Redis of one's own, for an installation that was given none.

`addresses` tells where they are, `session` has them running for the time of a command, `process_specs` hands
them to a supervisor that has `claimed` the home, `erase` deletes their data.
"""

from local.embedded.home_lock import HomeInUseError, claimed
from local.embedded.services import Services, addresses, process_specs
from local.embedded.session import erase, session

__all__ = ["HomeInUseError", "Services", "addresses", "claimed", "erase", "process_specs", "session"]
