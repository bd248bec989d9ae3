"""The public door: the edge, composed. No Django here, and none in anything it imports."""

import os

from dmphub import embedded
from dmphub import environment as environments
from dmphub.environment import Environment
from edge.api_keys import API_KEYS
from edge.application import Edge, Handler
from edge.cookies import CookieJar
from edge.health import Readiness, healthz
from edge.inbox import Inbox, OnCommit
from edge.limits import Limits
from edge.metrics import Metrics
from edge.references import Signer
from edge.secrets import KeyRing
from edge.snapshot import Snapshot
from edge.tokens import Tokens
from edge.waker import Waker
from edge.wakeups import wakeups
from profiles.dp import DpRoute
from profiles.dp_batch import BatchRoute
from profiles.dp_pixels import COLLECTION
from profiles.sync_tag import SyncTagRoute
from usersync import links
from usersync.choice import ChoiceRoutes
from usersync.consent import Judge
from usersync.link_routes import LinkRoute
from usersync.redirects import Redirects
from usersync.syncs import syncs_section
from usersync.uid import UidRoute
from usersync.uid_platforms import platforms_section


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
    limits = Limits()
    judge = Judge(environment.tcf_vendor_id)
    sync_tag = SyncTagRoute(snapshot, redirects, judge)
    choice = ChoiceRoutes(inbox, jar)
    tokens = Tokens(environment.derived_secrets(links.PURPOSE))
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
