"""System checks of the settings: a warning, with an id and a hint, where two of them contradict each other.

`manage.py check` shows them, and so does every command that checks. A single wrong variable is not found here but by
`core.environment`, which refuses it. Must not open a connection.
"""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register

from core import extras
from core.environment import Environment


@register(Tags.security)
def check_settings(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """Returns what is contradictory about the settings of this process."""
    environment: Environment = settings.ENVIRONMENT
    return [*_contradictions(environment), *_missing_parts()]


def _contradictions(environment: Environment) -> Iterator[CheckMessage]:
    edge = urlsplit(environment.edge_url)
    public = not _is_loopback(edge.hostname or "")
    if environment.insecure_cookies and edge.scheme == "https":
        yield checks.Warning(
            "DMPHUB_INSECURE_COOKIES is 1, but DMPHUB_EDGE_URL is https://",
            hint="Leave DMPHUB_INSECURE_COOKIES unset: cookies without Secure are sent over plain HTTP too.",
            id="dmphub.W001",
        )
    if not environment.insecure_cookies and edge.scheme == "http" and public:
        yield checks.Warning(
            "DMPHUB_EDGE_URL is http://, and browsers do not keep Secure cookies from there",
            hint="Serve the edge by https://, or set DMPHUB_INSECURE_COOKIES=1 for development.",
            id="dmphub.W002",
        )
    if environment.allow_private_targets and public:
        yield checks.Warning(
            "DMPHUB_ALLOW_PRIVATE_TARGETS is 1 on a hub with a public edge",
            hint="Leave it unset: it lets what users configure call addresses of the hub's own network.",
            id="dmphub.W003",
        )
    if environment.debug and public:
        yield checks.Warning(
            "DMPHUB_DEBUG is 1 on a hub with a public edge",
            hint="Leave it unset: error pages show settings and code.",
            id="dmphub.W004",
        )
    console = environment.console
    if console.hostname and not console.has_tls and not _is_loopback(console.hostname):
        yield checks.Warning(
            "DMPHUB_CONSOLE_URL is http://: passwords travel in clear",
            hint="Put a proxy with TLS in front of the console, and give the https:// address.",
            id="dmphub.W007",
        )


def _missing_parts() -> Iterator[CheckMessage]:
    effects = {"files": "SFTP, S3 and Parquet files do not work", "learning": "lookalike audiences are never learned"}
    for number, (extra, effect) in enumerate(effects.items(), 5):
        if not extras.is_installed(extra):
            yield checks.Warning(
                f"the extra {extra} is not installed: {effect}",
                hint=f"Run pip install 'dmphub[{extra}]', unless nobody needs it.",
                id=f"dmphub.W{number:03}",
            )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
