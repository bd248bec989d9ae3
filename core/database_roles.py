"""The database roles that the hub's processes need, and no more: none is a superuser or owns a table.

The edge may append to the inbox and read its part of the configuration: whoever takes it over reads no profile. All
other processes may read and write rows, but change no table, and no entry of the audit log.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from psycopg import Connection, sql

READABLE = {
    "configuration_version": ("id", "version", "named"),
    "customer_version": ("customer_id", "version"),
    "customer": ("m", "consent", "personal_data", "salt", "limits", "nobody_words", "phone_region"),
    "pixel": ("id", "customer_id", "user_key", "auth", "signing_secrets", "origins"),
    "pixel_integration": ("pixel_id", "platform_id", "priority"),
    "platform": (
        *("pl", "customer_id", "enabled", "sync_template", "sync_interval_days", "sync_auth", "sync_tag"),
        "sync_secrets",
    ),
    "api_key": (
        *("prefix", "digest", "role", "customer_id", "expires_at", "allowed_addresses", "previous_digest"),
        *("previous_until", "revoked_at"),
    ),
}
"""What the edge reads: columns by table."""
APPENDED = ("bucket", "kind", "query", "body", "received_at")
"""What the edge writes of the inbox."""

_EXISTS = "SELECT FROM pg_roles WHERE rolname = %s"
_LIMITS = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS"


def name_in(url: str) -> str:
    """Returns the role that a database URL names. Raises ValueError where it names none."""
    name = unquote(urlsplit(url).username or "")
    if not name:
        raise ValueError("the URL names no role")
    return name


def grant_edge(connection: Connection[Any], url: str) -> None:
    """Make the role that the URL names, with the URL's password, or change it, so that it may do the edge's part."""
    role = _role(connection, url)
    for table, columns in READABLE.items():
        _run(connection, "GRANT SELECT ({}) ON {} TO {}", _names(columns), sql.Identifier(table), role)
    _run(connection, "GRANT INSERT ({}) ON inbox TO {}", _names(APPENDED), role)


def grant_app(connection: Connection[Any], url: str) -> None:
    """The same for the role of all other processes. Tables that are made later need another call."""
    role = _role(connection, url)
    _run(connection, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}", role)
    _run(connection, "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {}", role)
    _run(connection, "REVOKE UPDATE ON audit_entry FROM {}", role)


def _role(connection: Connection[Any], url: str) -> sql.Identifier:
    """Make the role, or take all from it that it was given before."""
    name = name_in(url)
    role = sql.Identifier(name)
    found = connection.execute(_EXISTS, [name]).fetchone()
    _run(connection, f"{'CREATE' if found is None else 'ALTER'} ROLE {{}} {_LIMITS}", role)
    password = unquote(urlsplit(url).password or "")
    if password:  # only its verifier travels, so that no log can hold it
        verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256")
        _run(connection, "ALTER ROLE {} PASSWORD {}", role, sql.Literal(verifier.decode()))
    for kind in ("TABLES", "SEQUENCES"):
        _run(connection, f"REVOKE ALL ON ALL {kind} IN SCHEMA public FROM {{}}", role)
    return role


def _run(connection: Connection[Any], text: str, *names: sql.Composable) -> None:
    connection.execute(sql.SQL(text).format(*names))


def _names(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
