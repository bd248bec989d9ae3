"""The variables of the environment that concern the console: its address, log-ins, single sign-on and mail."""

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from environs import Env, ValidationError

from core.environment_values import flag, whole_number
from core.patterns import whole

IDLE_HOURS, MOST_HOURS = 12, 168
_HOURS = whole(r"[1-9][0-9]{0,3}+")


@dataclass(frozen=True, slots=True)
class SingleSignOn:
    """An OpenID Connect provider. `issuer`: its address, beneath which its configuration is found."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    name: str

    @property
    def origin(self) -> str:
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True)
class MailServer:
    host: str
    port: int
    username: str
    password: str = field(repr=False)
    implicit_tls: bool
    sender: str


@dataclass(frozen=True, slots=True)
class ConsoleEnvironment:
    """`url`: the console's public address, None where it is only used on this machine."""

    url: str | None = None
    second_factor: bool = False
    idle_hours: int = IDLE_HOURS
    most_hours: int = MOST_HOURS
    single_sign_on: SingleSignOn | None = None
    mail: MailServer | None = None

    @property
    def hostname(self) -> str | None:
        return urlsplit(self.url).hostname if self.url else None

    @property
    def has_tls(self) -> bool:
        """Whether browsers reach it by https."""
        return bool(self.url) and urlsplit(self.url or "").scheme == "https"


def read_console(env: Env) -> ConsoleEnvironment:
    """Read the variables. Faults are kept by `env`, which tells all of them at once when it is sealed."""
    return ConsoleEnvironment(
        url=_origin(env, "DMPHUB_CONSOLE_URL"),
        second_factor=flag(env, "DMPHUB_REQUIRE_SECOND_FACTOR"),
        idle_hours=_hours(env, "DMPHUB_SESSION_IDLE_HOURS", IDLE_HOURS),
        most_hours=_hours(env, "DMPHUB_SESSION_HOURS", MOST_HOURS),
        single_sign_on=_single_sign_on(env),
        mail=_mail(env),
    )


def _origin(env: Env, name: str) -> str | None:
    def check(value: str) -> None:
        parts = urlsplit(value)
        if value and (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.path.strip("/")
            or parts.query
            or parts.fragment
            or parts.username
        ):
            raise ValidationError("must be an http:// or https:// address without path, such as https://hub.example")

    text = env.str(name, "", validate=check) or ""
    return text.rstrip("/").lower() or None


def _single_sign_on(env: Env) -> SingleSignOn | None:
    others = {name: env.str(name, "") or "" for name in ("DMPHUB_OIDC_CLIENT_ID", "DMPHUB_OIDC_CLIENT_SECRET")}

    def check(value: str) -> None:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment):
            raise ValidationError("must be the http:// or https:// address of an OpenID Connect provider")
        if value and not all(others.values()):
            raise ValidationError("needs DMPHUB_OIDC_CLIENT_ID and DMPHUB_OIDC_CLIENT_SECRET too")

    issuer = env.str("DMPHUB_OIDC_ISSUER", "", validate=check) or ""
    name = env.str("DMPHUB_OIDC_NAME", "") or "single sign-on"
    if not issuer:
        return None
    client_id, secret = others.values()
    return SingleSignOn(issuer.rstrip("/"), client_id, secret, name)


def _mail(env: Env) -> MailServer | None:
    def check(value: str) -> None:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"smtp", "smtps"} or not parts.hostname):
            raise ValidationError("must be smtp:// or smtps://user:password@host:port")

    url = env.str("DMPHUB_MAIL_URL", "", validate=check) or ""
    sender = env.str("DMPHUB_MAIL_FROM", "") or "dmphub@localhost"
    parts = urlsplit(url)
    if not url or not parts.hostname:
        return None
    implicit = parts.scheme == "smtps"
    port = parts.port or (465 if implicit else 587)
    return MailServer(
        parts.hostname, port, unquote(parts.username or ""), unquote(parts.password or ""), implicit, sender
    )


def _hours(env: Env, name: str, default: int) -> int:
    return whole_number(env, name, default, _HOURS, "must be a whole number of hours from 1 to 9999")
