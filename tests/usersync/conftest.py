from tests.support.sync_sites import running_sites, sites

__all__ = ["running_sites", "sites"]
