"""Fixtures that several tests of the edge share."""

from tests.support.sync_sites import running_sites, sites

__all__ = ["running_sites", "sites"]
