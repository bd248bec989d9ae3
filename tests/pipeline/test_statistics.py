"""What PostgreSQL last counted must not decide how fast a backlog is absorbed."""

from django.db import connection

from core.arrays import BigInts, SmallInts
from core.database import connect
from pipeline.absorb import rows
from tests.support.shop import Shop

FILL = """
INSERT INTO inbox (bucket, kind, query, received_at)
SELECT number % 256, 1, 'x', now() FROM generate_series(1, 5000) AS number
"""


def test_rows__of_an_inbox_that_was_analysed_while_empty__are_found_by_the_index(shop: Shop) -> None:
    with connection.cursor() as cursor:
        cursor.execute(FILL)
        cursor.execute("DELETE FROM inbox")
        cursor.execute("ANALYZE inbox")
        cursor.execute(FILL)
        cursor.execute("SELECT bucket, id FROM inbox ORDER BY bucket, id LIMIT 1000")
        found = cursor.fetchall()
    stages = connect(durable=False)
    values = [SmallInts.of(sorted({bucket for bucket, _ in found})), BigInts.of(sorted(row for _, row in found))]

    plan = "\n".join(line for (line,) in stages.execute("EXPLAIN (ANALYZE) " + rows.DELETE, values))

    stages.close()
    assert "rows=1000.00" in plan
    assert "Rows Removed" not in plan
