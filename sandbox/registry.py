"""The third parties there are: a further one is one more line."""

from typing import Any

from sandbox.cep import Cep
from sandbox.event import Events
from sandbox.event_batch import EventBatches
from sandbox.generic import GenericSegments
from sandbox.mathtag import SyncTag
from sandbox.parties import ThirdParty
from sandbox.s2s import S2sImport
from sandbox.signed_sync import SigningDomain
from sandbox.sync import CookieDomain
from sandbox.tables import TableFiles
from sandbox.webhook import Webhook

KINDS: tuple[type[ThirdParty[Any]], ...] = (
    GenericSegments,
    CookieDomain,
    SigningDomain,
    SyncTag,
    Cep,
    Webhook,
    Events,
    EventBatches,
    S2sImport,
    TableFiles,
)


def third_parties() -> dict[str, ThirdParty[Any]]:
    """New, empty third parties by name, which is also their fault target."""
    return {kind.name: kind() for kind in KINDS}
