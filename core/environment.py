"""The process environment, read and checked once; every variable is documented in `.env.example`.

It must not import Django: the edge, the embedded services and the tests read the environment too.
"""

import hashlib
import hmac
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.fernet import Fernet
from environs import Env, EnvValidationError, ValidationError

from core.client_address import TrustedProxies, networks
from core.console_environment import ConsoleEnvironment, read_console
from core.customer_limits import CustomerLimits
from core.environment_values import flag, whole_number
from core.keys import generated_keys
from core.limits import DataCaps, SuspectLimits
from core.patterns import whole
from core.unpacking import DEFAULT_BYTES

CODE_ROOT = Path(__file__).resolve().parent.parent
"""The folder of the packages and the templates: a checkout, or the site-packages of an installation."""
IS_CHECKOUT = (CODE_ROOT / "manage.py").is_file()
PROJECT_ROOT = CODE_ROOT if IS_CHECKOUT else Path.cwd()
"""The folder of `.env` and `var`, in which the hub's processes work: a checkout, or else the working folder."""
HUB_COMMAND = (sys.executable, "-m", "dmphub")
"""How one process of the hub starts another; a command's name follows, then its arguments."""
DEFAULT_EDGE_URL = "http://127.0.0.1:8001"
DEFAULT_CAPS = DataCaps()
DEFAULT_SUSPECT = SuspectLimits()
DEFAULT_CONSOLE = ConsoleEnvironment()
KEEP_AUDIT_DAYS = 730
DOOR_STATEMENT_SECONDS, _DAY = 30, 86_400
POSTGRESQL = ("postgresql", "postgres")
NO_PROXIES = TrustedProxies()
DEFAULT_LIMITS = CustomerLimits()
_SMALL_NUMBER = whole(r"[0-9]{1,5}+")
_CAP = whole(r"[1-9][0-9]{0,7}+")
_LIMIT = whole(r"[1-9][0-9]{0,11}+")


class InvalidEnvironmentError(Exception):
    """The environment cannot be used; the message names every wrong variable, one a line."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the environment says; a URL that is None stands for an embedded service."""

    home: Path
    database_url: str | None = field(repr=False)
    redis_url: str | None = field(repr=False)
    edge_url: str
    secret_keys: tuple[str, ...] = field(repr=False)
    allow_private_targets: bool
    insecure_cookies: bool
    debug: bool
    metrics_token: str = field(default="", repr=False)
    tcf_vendor_id: int | None = None
    data_caps: DataCaps = DEFAULT_CAPS
    suspect_limits: SuspectLimits = DEFAULT_SUSPECT
    console: ConsoleEnvironment = DEFAULT_CONSOLE
    trusted_proxies: TrustedProxies = NO_PROXIES
    keep_audit_days: int = KEEP_AUDIT_DAYS
    unpacked_bytes: int = DEFAULT_BYTES
    door_statement_seconds: int = DOOR_STATEMENT_SECONDS
    customer_limits: CustomerLimits = DEFAULT_LIMITS
    edge_processes: int = 1
    edge_connections: int = 20_000
    edge_connections_per_address: int = 1_000
    egress_proxy: str | None = field(default=None, repr=False)
    edge_database_url: str | None = field(default=None, repr=False)
    app_database_url: str | None = field(default=None, repr=False)

    def derived_secrets(self, purpose: str) -> list[str]:
        """One secret per key, newest first, that tells nothing about the key or another purpose's secrets."""
        message = f"dmphub:{purpose}".encode()
        return [hmac.new(key.encode(), message, hashlib.sha256).hexdigest() for key in self.secret_keys]


def read(env_file: Path | None = PROJECT_ROOT / ".env") -> Environment:
    """Read the variables of this process, then those of `env_file`; an empty one counts as unset.

    Raises InvalidEnvironmentError with all errors at once. Makes the home and, if need be, its keys.
    """
    env = Env(eager=False)
    if env_file is not None and env_file.is_file():
        env.read_env(env_file, recurse=False)
    values = _values(env)
    errors = [*_errors(env), *_missing_keys(values)]
    if errors:
        raise InvalidEnvironmentError("\n".join(errors))
    values["home"] = _home(values["home"])
    values["secret_keys"] = _split(values["secret_keys"]) or generated_keys(values["home"] / "secret_keys")
    return Environment(**values)


def _values(env: Env) -> dict[str, Any]:
    return {
        "home": env.str("DMPHUB_HOME", ""),
        "database_url": _url(env, "DATABASE_URL", POSTGRESQL),
        "edge_database_url": _url(env, "DMPHUB_EDGE_DATABASE_URL", POSTGRESQL),
        "app_database_url": _url(env, "DMPHUB_APP_DATABASE_URL", POSTGRESQL),
        "egress_proxy": _url(env, "DMPHUB_EGRESS_PROXY", ("http",)),
        "redis_url": _url(env, "REDIS_URL", ("redis", "rediss", "unix")),
        "edge_url": _edge_url(env),
        "secret_keys": env.str("DMPHUB_SECRET_KEYS", "", validate=_check_secret_keys),
        "allow_private_targets": flag(env, "DMPHUB_ALLOW_PRIVATE_TARGETS"),
        "insecure_cookies": flag(env, "DMPHUB_INSECURE_COOKIES"),
        "debug": flag(env, "DMPHUB_DEBUG"),
        "metrics_token": env.str("DMPHUB_METRICS_TOKEN", ""),
        "tcf_vendor_id": _vendor_id(env),
        "console": read_console(env),
        "trusted_proxies": _trusted_proxies(env),
        "keep_audit_days": min(_cap(env, "DMPHUB_KEEP_AUDIT_DAYS", KEEP_AUDIT_DAYS), 36_500),
        "door_statement_seconds": min(_cap(env, "DMPHUB_DOOR_STATEMENT_SECONDS", DOOR_STATEMENT_SECONDS), _DAY),
        "unpacked_bytes": _limit(env, "DMPHUB_UNPACKED_BYTES", DEFAULT_BYTES),
        "data_caps": DataCaps(
            event_attributes=_cap(env, "DMPHUB_EVENT_ATTRIBUTES", DEFAULT_CAPS.event_attributes),
            event_bytes=_cap(env, "DMPHUB_EVENT_BYTES", DEFAULT_CAPS.event_bytes),
            profile_attributes=_cap(env, "DMPHUB_PROFILE_ATTRIBUTES", DEFAULT_CAPS.profile_attributes),
            profile_bytes=_cap(env, "DMPHUB_PROFILE_BYTES", DEFAULT_CAPS.profile_bytes),
        ),
        "suspect_limits": SuspectLimits(
            per_minute=_cap(env, "DMPHUB_SUSPECT_PER_MINUTE", DEFAULT_SUSPECT.per_minute),
            per_day=_cap(env, "DMPHUB_SUSPECT_PER_DAY", DEFAULT_SUSPECT.per_day),
        ),
        "customer_limits": _customer_limits(env),
        "edge_processes": _cap(env, "DMPHUB_EDGE_PROCESSES", 1),
        "edge_connections": _cap(env, "DMPHUB_EDGE_CONNECTIONS", 20_000),
        "edge_connections_per_address": _cap(env, "DMPHUB_EDGE_CONNECTIONS_PER_ADDRESS", 1_000),
    }


def _customer_limits(env: Env) -> CustomerLimits:
    default = DEFAULT_LIMITS
    return CustomerLimits(
        events_per_second=_limit(env, "DMPHUB_CUSTOMER_EVENTS_PER_SECOND", default.events_per_second),
        bytes_per_second=_limit(env, "DMPHUB_CUSTOMER_BYTES_PER_SECOND", default.bytes_per_second),
        body_bytes=_limit(env, "DMPHUB_CUSTOMER_BODY_BYTES", default.body_bytes),
        requests_per_minute=_limit(env, "DMPHUB_KEY_REQUESTS_PER_MINUTE", default.requests_per_minute),
        estimates=_limit(env, "DMPHUB_CUSTOMER_ESTIMATES", default.estimates),
    )


def _cap(env: Env, name: str, default: int) -> int:
    return whole_number(env, name, default, _CAP, "must be a whole number from 1 to 99999999")


def _limit(env: Env, name: str, default: int) -> int:
    return whole_number(env, name, default, _LIMIT, "must be a whole number from 1 to 10^12 - 1")


def _trusted_proxies(env: Env) -> TrustedProxies:
    def check(value: str) -> None:
        try:
            networks(_split(value))
        except ValueError as error:
            raise ValidationError(str(error)) from None

    text = env.str("DMPHUB_TRUSTED_PROXIES", "", validate=check) or ""
    try:
        return TrustedProxies(networks(_split(text)))
    except ValueError:
        return NO_PROXIES


def _vendor_id(env: Env) -> int | None:
    def check(value: str) -> None:
        if value and (not _SMALL_NUMBER(value) or not 0 < int(value) < 2**16):
            raise ValidationError("must be a number from 1 to 65535")

    text = env.str("DMPHUB_TCF_VENDOR_ID", "", validate=check) or ""
    return int(text) if _SMALL_NUMBER(text) else None


def _url(env: Env, name: str, schemes: tuple[str, ...]) -> str | None:
    def check(value: str) -> None:
        if value and urlsplit(value).scheme not in schemes:
            message = f"must be a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
            raise ValidationError(message)

    return env.str(name, "", validate=check) or None


def _edge_url(env: Env) -> str:
    def check(value: str) -> None:
        parts = urlsplit(value or DEFAULT_EDGE_URL)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            message = "must be an http:// or https:// address without query"
            raise ValidationError(message)

    return (env.str("DMPHUB_EDGE_URL", "", validate=check) or DEFAULT_EDGE_URL).rstrip("/")


def _check_secret_keys(value: str) -> None:
    for position, key in enumerate(_split(value), 1):
        try:
            Fernet(key)
        except ValueError:
            message = f"key {position} is not a Fernet key (32 bytes in URL-safe base64)"
            raise ValidationError(message) from None


def _home(value: str) -> Path:
    home = (PROJECT_ROOT / (value or "var")).resolve()
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidEnvironmentError(f"DMPHUB_HOME: cannot make {home}: {error.strerror}") from None
    return home


def _split(value: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in value.split(",") if key.strip())


def _errors(env: Env) -> list[str]:
    try:
        env.seal()
    except EnvValidationError as error:
        if isinstance(error.error_messages, list):
            return error.error_messages
        return [f"{name}: {'; '.join(errors)}" for name, errors in error.error_messages.items()]
    return []


def _missing_keys(values: dict[str, Any]) -> list[str]:
    if not values["database_url"] or values["secret_keys"]:
        return []
    return ["DMPHUB_SECRET_KEYS: must be set where DATABASE_URL is (every process needs the same keys)"]
