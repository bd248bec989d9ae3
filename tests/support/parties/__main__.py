import sys
from typing import Any

from sandbox import app, registry
from sandbox.parties import ThirdParty
from sandbox.server import serve
from tests.support.parties.s2s import AudienceFiles


def with_stand_ins() -> dict[str, ThirdParty[Any]]:
    return registry.third_parties() | {party.name: party for party in (AudienceFiles(),)}


vars(app)["third_parties"] = with_stand_ins
serve(int(sys.argv[sys.argv.index("--port") + 1]))
