"""Every connector there is: a new one is one line here."""

from functools import cache

from integrations.connectors.base import Connector
from integrations.connectors.http.connector import HttpConnector
from integrations.connectors.none.connector import NoneConnector


@cache
def all_connectors() -> dict[str, type[Connector]]:
    """Connectors by key."""
    return {connector.key: connector for connector in (NoneConnector, HttpConnector)}
