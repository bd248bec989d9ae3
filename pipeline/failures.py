"""What a failed batch says about its rows: the database's own trouble is nobody's fault, and passes."""

import django.db
import psycopg
from psycopg import errors

# the database is away, full, read-only, locked or too slow; or its tables are those of another release
_PASSING = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    errors.ReadOnlySqlTransaction,
    errors.IdleInTransactionSessionTimeout,
    errors.InsufficientPrivilege,
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.UndefinedFunction,
    django.db.OperationalError,
    django.db.InterfaceError,
)
# said of a value although its class is an operational error: it would be said again of the same row
_OF_A_ROW = (errors.ProgramLimitExceeded, errors.StatementTooComplex)


def is_passing(failure: Exception) -> bool:
    """Whether the same rows may succeed later, unchanged."""
    cause = failure.__cause__ if isinstance(failure, django.db.Error) else failure
    if isinstance(cause, _OF_A_ROW):
        return False
    return isinstance(failure, _PASSING) or isinstance(cause, _PASSING)
