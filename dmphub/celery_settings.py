"""How Celery runs: no results, no payloads, one wake-up at a time, no opinion on logging."""

from core.wakeups import ABSORB, celery_url
from dmphub.settings import REDIS_URL

broker_url = celery_url(REDIS_URL)
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
broker_transport_options = {"socket_keepalive": True, "health_check_interval": 5}
task_ignore_result = True
task_default_queue = ABSORB
worker_prefetch_multiplier = 1
worker_hijack_root_logger = False
worker_send_task_events = False
