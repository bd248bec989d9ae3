import sys

from sandbox.app import third_parties
from sandbox.server import serve
from tests.support.parties.s2s import AudienceFiles

parties = third_parties() | {AudienceFiles.name: AudienceFiles()}
serve(int(sys.argv[sys.argv.index("--port") + 1]), parties=parties)
