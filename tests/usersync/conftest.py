from tests.usersync.sites import running_sites, sites

__all__ = ["running_sites", "sites"]
