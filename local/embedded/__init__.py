"""Embedded PostgreSQL and Redis, for an installation whose environment names none.

`addresses` returns where they are. `session` keeps them running during a command. `process_specs` returns their
processes for a supervisor that has `claimed` the home. `erase` deletes their data.
"""

from local.embedded.home_lock import HomeInUseError, claimed
from local.embedded.services import Services, addresses, process_specs
from local.embedded.session import erase, session

__all__ = ["HomeInUseError", "Services", "addresses", "claimed", "erase", "process_specs", "session"]
