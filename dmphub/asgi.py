"""The public door: the edge, composed from its parts. No Django here, and none in anything it imports."""

import os
from dataclasses import dataclass, replace

from core import environment as environments
from core.client_address import TrustedProxies
from core.environment import Environment
from core.flood_sign import FloodSign
from core.keys import KeyRing, TokenSigner
from core.limits import RequestLimits
from core.right_of_way import BusySign
from core.wakeups import WakeupThread, wakeups
from edge.application import EdgeApplication, Handler
from edge.cookies import CookieCheckSigner, CookieJar
from edge.endpoints.dp import DpEndpoint
from edge.endpoints.dp_batch import BatchEndpoint
from edge.endpoints.links import LinkEndpoint
from edge.endpoints.opt_out import OptOutEndpoints
from edge.endpoints.sync_tag import SyncTagEndpoint
from edge.endpoints.uid import UidEndpoint
from edge.group_commit import Discarding, InboxAppender, OnCommit, RowAppender
from edge.key_uses import KeyUses
from edge.monitoring import Metrics, ReadinessEndpoint, healthz
from edge.pacing import Pacer
from edge.sections.pixels import API_KEYS, COLLECTION, SigningSecrets, signing_section
from edge.sections.platforms import Platforms, platforms_section, syncs_section
from edge.shares import Shares
from edge.snapshot import Section, Snapshot
from edge.sync_redirects import SyncRedirects
from local import embedded
from usersync import links
from usersync.consent import ConsentJudge


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What several endpoints share. `inbox`: where rows go, or nowhere."""

    inbox: RowAppender
    snapshot: Snapshot
    platforms: Section[Platforms]
    redirects: SyncRedirects
    shares: Shares
    jar: CookieJar
    judge: ConsentJudge
    limits: RequestLimits
    proxies: TrustedProxies


def make_edge(environment: Environment | None = None, *, on_commit: OnCommit | None = None) -> EdgeApplication:
    """Compose the ASGI application of one edge process. `on_commit` replaces what wakes absorb after each commit."""
    environment = environment or environments.read()
    services = embedded.addresses(environment)
    keys = KeyRing(environment.secret_keys)
    platforms, syncs = platforms_section(keys), syncs_section(keys, environment.edge_url)
    signing = signing_section(keys)
    shares = _shares(environment)
    pacer = Pacer(shares, FloodSign(services.redis_url))
    wake = on_commit or WakeupThread(wakeups(services.redis_url), BusySign(services.redis_url), pacer.look)
    database_url = environment.edge_database_url or services.database_url
    snapshot = Snapshot(database_url, [COLLECTION, API_KEYS, signing, platforms, syncs])
    jar = CookieJar(secure=not environment.insecure_cookies)
    metrics = Metrics(os.environ.get("DMPHUB_METRICS_TOKEN", ""))
    inbox = InboxAppender(database_url, on_commit=wake)
    parts = _Parts(
        inbox=inbox,
        snapshot=snapshot,
        platforms=platforms,
        redirects=SyncRedirects(snapshot=snapshot, syncs=syncs, jar=jar),
        shares=shares,
        jar=jar,
        limits=RequestLimits(),
        proxies=environment.trusted_proxies,
        judge=ConsentJudge(environment.tcf_vendor_id),
    )
    signer = CookieCheckSigner(environment.derived_secrets("cookie-check"))
    tokens = TokenSigner(environment.derived_secrets(links.PURPOSE))
    probes: dict[str, Handler] = {
        "/healthz": healthz,
        "/readyz": ReadinessEndpoint(inbox=inbox, snapshot=snapshot).handle,
        "/metrics": metrics.handle,
    }
    unkept = replace(parts, inbox=Discarding(inbox), shares=_shares(environment))
    kept, dropped = (
        {**_data_routes(some, signing, signer), **_sync_routes(some, tokens), **probes} for some in (parts, unkept)
    )
    return EdgeApplication(kept, dropped, inbox, snapshot, metrics)


def _shares(environment: Environment) -> Shares:
    return Shares(environment.customer_limits, environment.edge_processes)


def _data_routes(parts: _Parts, signing: Section[SigningSecrets], signer: CookieCheckSigner) -> dict[str, Handler]:
    dp = DpEndpoint(
        inbox=parts.inbox,
        snapshot=parts.snapshot,
        signer=signer,
        jar=parts.jar,
        limits=parts.limits,
        judge=parts.judge,
        redirects=parts.redirects,
        shares=parts.shares,
        signing=signing,
    )
    batch = BatchEndpoint(
        inbox=parts.inbox,
        snapshot=parts.snapshot,
        limits=parts.limits,
        judge=parts.judge,
        proxies=parts.proxies,
        shares=parts.shares,
        uses=KeyUses(parts.inbox),
    )
    opt_out = OptOutEndpoints(inbox=parts.inbox, jar=parts.jar)
    return {"/dp": dp.handle, "/dp/batch": batch.handle, "/opt-out": opt_out.opt_out, "/opt-in": opt_out.opt_in}


def _sync_routes(parts: _Parts, tokens: TokenSigner) -> dict[str, Handler]:
    uid = UidEndpoint(
        inbox=parts.inbox,
        snapshot=parts.snapshot,
        platforms=parts.platforms,
        jar=parts.jar,
        limits=parts.limits,
        judge=parts.judge,
        redirects=parts.redirects,
        shares=parts.shares,
    )
    link = LinkEndpoint(
        inbox=parts.inbox,
        snapshot=parts.snapshot,
        platforms=parts.platforms,
        tokens=tokens,
        jar=parts.jar,
        limits=parts.limits,
        judge=parts.judge,
        shares=parts.shares,
    )
    tag = SyncTagEndpoint(snapshot=parts.snapshot, redirects=parts.redirects, judge=parts.judge)
    return {
        "/uid": uid.handle,
        "/c/": link.handle,
        "/v/": link.handle,
        "/sync.js": tag.script,
        "/sync": tag.sync,
    }
