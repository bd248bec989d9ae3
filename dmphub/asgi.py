"""The public door: the edge, composed. No Django here, and none in anything it imports."""

import os

from core import environment as environments
from core.environment import Environment
from core.keys import KeyRing, TokenSigner
from core.limits import RequestLimits
from core.wakeups import wakeups
from edge.application import Edge, Handler
from edge.cookies import CookieJar
from edge.endpoints.dp import DpRoute
from edge.endpoints.dp_batch import BatchRoute
from edge.endpoints.links import LinkRoute
from edge.endpoints.opt_out import ChoiceRoutes
from edge.endpoints.redirects import Redirects
from edge.endpoints.sync_tag import SyncTagRoute
from edge.endpoints.uid import UidRoute
from edge.group_commit import Inbox, OnCommit
from edge.health import Readiness, healthz
from edge.metrics import Metrics
from edge.references import Signer
from edge.sections.api_keys import API_KEYS
from edge.sections.pixels import COLLECTION
from edge.sections.platforms import platforms_section
from edge.sections.syncs import syncs_section
from edge.snapshot import Snapshot
from edge.waker import Waker
from local import embedded
from usersync import links
from usersync.consent import ConsentJudge


def make_edge(environment: Environment | None = None, *, on_commit: OnCommit | None = None) -> Edge:
    """The ASGI application of one edge process; `on_commit` is told of every commit (and wakes absorb)."""
    environment = environment or environments.read()
    services = embedded.addresses(environment)
    keys = KeyRing(list(environment.secret_keys))
    platforms = platforms_section(keys)
    syncs = syncs_section(keys, environment.edge_url)
    inbox = Inbox(services.database_url, on_commit=on_commit or Waker(wakeups(services.redis_url)))
    snapshot = Snapshot(services.database_url, [COLLECTION, API_KEYS, platforms, syncs])
    jar = CookieJar(secure=not environment.insecure_cookies)
    redirects = Redirects(snapshot, syncs, jar)
    signer = Signer(environment.derived_secrets("cookie-check"))
    metrics = Metrics(os.environ.get("DMPHUB_METRICS_TOKEN", ""))
    limits = RequestLimits()
    judge = ConsentJudge(environment.tcf_vendor_id)
    sync_tag = SyncTagRoute(snapshot, redirects, judge)
    choice = ChoiceRoutes(inbox, jar)
    tokens = TokenSigner(environment.derived_secrets(links.PURPOSE))
    link = LinkRoute(inbox, snapshot, platforms, tokens, jar, limits, judge)
    routes: dict[str, Handler] = {
        "/dp": DpRoute(inbox, snapshot, signer, jar, limits, judge, redirects).handle,
        "/dp/batch": BatchRoute(inbox, snapshot, limits, judge).handle,
        "/uid": UidRoute(inbox, snapshot, platforms, jar, limits, judge, redirects).handle,
        "/opt-out": choice.opt_out,
        "/opt-in": choice.opt_in,
        "/c/": link.handle,
        "/v/": link.handle,
        "/sync.js": sync_tag.script,
        "/sync": sync_tag.sync,
        "/healthz": healthz,
        "/readyz": Readiness(inbox, snapshot).readyz,
        "/metrics": metrics.show,
    }
    return Edge(routes, inbox, snapshot, metrics)
