"""The list of all connectors. A new one is one line here, or an entry point of its own distribution."""

import logging
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from integrations.connectors.base import Connector
from integrations.connectors.file.connector import FileDrop
from integrations.connectors.http.connector import HttpConnector
from integrations.connectors.mapp_cep.connector import MappCep
from integrations.connectors.mapp_webhook.connector import MappWebhook
from integrations.connectors.mediamath_batch.connector import MediaMathBatch
from integrations.connectors.mediamath_event.connector import MediaMathEvent
from integrations.connectors.mediamath_s2s.connector import MediaMathS2S
from integrations.connectors.none.connector import NoneConnector

# the entry-point group in which other distributions name their connectors: `<key> = module:class`
GROUP = "dmphub.connectors"

logger = logging.getLogger(__name__)


@cache
def all_connectors() -> dict[str, type[Connector]]:
    """Return all connectors by key. Another distribution cannot replace a connector of this tree."""
    ours = (
        NoneConnector,
        HttpConnector,
        FileDrop,
        MappWebhook,
        MappCep,
        MediaMathEvent,
        MediaMathBatch,
        MediaMathS2S,
    )
    found: dict[str, type[Connector]] = {connector.key: connector for connector in ours}
    for point in entry_points(group=GROUP):
        connector = _load(point)
        if connector is not None:
            found.setdefault(connector.key, connector)
    return found


def _load(point: EntryPoint) -> type[Connector] | None:
    """Return the connector of an entry point; None if it is broken, which must not disturb the others."""
    try:
        connector = point.load()
    except Exception:
        logger.exception("connector %s (%s) cannot be loaded", point.name, point.value)
        return None
    if isinstance(connector, type) and issubclass(connector, Connector) and connector.key == point.name:
        return connector
    logger.error("connector %s (%s) is no connector of that key", point.name, point.value)
    return None
