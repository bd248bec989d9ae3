"""The edge's own database role: enough for its work, and too little to read anybody's profile."""

from collections.abc import Iterator
from urllib.parse import urlencode

import psycopg
import pytest
from django.db import connection
from psycopg.errors import InsufficientPrivilege

from core import database_roles
from tests.support.edge_process import DP, EdgeProcess, RunningEdge, until

EDGE, APP = "dmphub_edge_of_test", "dmphub_app_of_test"


def url_as(role: str) -> str:
    """The test database's address, as another role; the embedded server trusts whoever reaches its socket."""
    settings = connection.settings_dict
    query = urlencode({"host": settings["HOST"]})
    return f"postgresql://{role}:secret@/{settings['NAME']}?{query}"


@pytest.fixture
def roles(edge: RunningEdge) -> Iterator[None]:
    with edge.database.transaction():
        database_roles.grant_edge(edge.database, url_as(EDGE))
        database_roles.grant_app(edge.database, url_as(APP))
    yield
    for role in (EDGE, APP):
        edge.database.execute(f"DROP OWNED BY {role}")
        edge.database.execute(f"DROP ROLE {role}")


DENIED_TO_EDGE = [
    "SELECT user_id FROM profile",
    "SELECT value FROM identity",
    "SELECT query FROM inbox",
    "UPDATE inbox SET kind = 1",
    "DELETE FROM inbox",
    "SELECT credentials FROM platform",
    "UPDATE customer SET name = ''",
    "SELECT password FROM auth_user",
    "SELECT actor FROM audit_entry",
    "CREATE TABLE stolen (data text)",
]
DENIED_TO_APP = [
    "UPDATE audit_entry SET actor = ''",
    "TRUNCATE audit_entry",
    "ALTER TABLE profile ADD COLUMN more text",
    "DROP TABLE profile",
    "CREATE ROLE another",
    "CREATE TABLE stolen (data text)",
]


@pytest.mark.usefixtures("roles")
def test_edge__as_its_own_role__collects_and_reads_no_profile() -> None:
    settings = connection.settings_dict
    owner = f"postgresql://{settings['USER']}@/{settings['NAME']}?{urlencode({'host': settings['HOST']})}"
    with EdgeProcess(owner, environment={"DMPHUB_EDGE_DATABASE_URL": url_as(EDGE)}) as own:
        until(own.ready)
        assert own.client.get("/dp", {**DP, "_nr": 1, "data": '{"a": 1}'}).name == "accepted"
    with psycopg.connect(url_as(EDGE), autocommit=True) as database:
        assert database.execute("SELECT current_user, count(*) FROM pixel").fetchone() is not None
        for statement in DENIED_TO_EDGE:
            with pytest.raises(InsufficientPrivilege):
                database.execute(statement)


@pytest.mark.usefixtures("roles")
def test_app__as_its_own_role__changes_rows_and_nothing_else() -> None:
    with psycopg.connect(url_as(APP), autocommit=True) as database:
        database.execute("DELETE FROM bad_row")
        database.execute("SELECT count(*) FROM audit_entry")
        for statement in DENIED_TO_APP:
            with pytest.raises(InsufficientPrivilege):
                database.execute(statement)
        found = database.execute("SELECT rolsuper, rolcreaterole FROM pg_roles WHERE rolname = %s", [APP]).fetchone()
        assert found == (False, False)


def test_roles__made_again__end_with_what_is_granted_now(edge: RunningEdge, roles: None) -> None:
    edge.database.execute(f"GRANT SELECT ON profile TO {EDGE}")
    with edge.database.transaction():
        database_roles.grant_edge(edge.database, url_as(EDGE))

    with psycopg.connect(url_as(EDGE), autocommit=True) as database, pytest.raises(InsufficientPrivilege):
        database.execute("SELECT user_id FROM profile")
