from tests.support.tables import db

__all__ = ["db"]
