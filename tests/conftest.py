"""Fixtures that tests of several rooms share."""

from tests.support.edge_process import database, database_url, edge, edge_process, house

__all__ = ["database", "database_url", "edge", "edge_process", "house"]
