"""`python -m tests.support.deliver_worker THREADS`: a deliver worker as the hub runs it. HASTY: its time-out (s)."""

import os
import sys
from datetime import timedelta


def main() -> None:
    import django

    django.setup()
    from activation.delivery import lanes
    from dmphub.celery import app
    from integrations.connectors.http.connector import HttpConnector

    lanes.MARGIN = timedelta(seconds=0.5)
    HttpConnector.timeout = float(os.environ["HASTY"])
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    threads = ["--pool", "threads", "--concurrency", sys.argv[1], "-Q", "deliver"]
    app.worker_main(["worker", "--loglevel", "WARNING", *alone, *threads])


if __name__ == "__main__":
    main()
