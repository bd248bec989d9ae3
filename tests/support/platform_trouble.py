"""What every connector has to survive: the platform is too busy, shuts us out, and falls over."""

from collections.abc import Callable

from django.db import connection

from activation.models import Activation
from integrations.models import Platform
from tests.support.delivery_stage import DeliveryStage, forget_backoff
from tests.support.edge_process import until

FORGET = "DELETE FROM platform_health"


def forget_waits() -> None:
    """As if every wait, of rows and of the platform, were over."""
    forget_backoff()
    with connection.cursor() as cursor:
        cursor.execute(FORGET)


class PlatformTrouble:
    """A platform under faults of `target`; `held()` is what it has."""

    def __init__(self, stage: DeliveryStage, platform: Platform, target: str, held: Callable[[], set[str]]) -> None:
        self.stage, self.platform, self.target, self.held = stage, platform, target, held

    def faults(self, **order: object) -> None:
        self.stage.sandbox.faults(target=self.target, **order)

    def tell_until(self, expected: set[str], seconds: float = 60.0) -> None:
        """Go on stage, without waiting long, until the platform holds exactly these."""

        def there() -> bool:
            forget_waits()
            self.stage.deliver(self.platform)
            return self.held() == expected

        until(there, seconds)

    def busy(self, expected: set[str]) -> None:
        """429: nothing is lost, nothing dies, and the wait is kept."""
        self.faults(status=429, retry_after=3600, times=1)
        self.stage.deliver(self.platform)
        assert self.stage.deliver(self.platform) == 0
        self.tell_until(expected)

    def falling_over(self, expected: set[str], times: int = 6, body: str | None = None) -> None:
        """500 after 500: the breaker spares the platform, and everybody arrives in the end."""
        self.faults(status=500, times=times, **({"body": body} if body else {}))
        self.tell_until(expected)

    def shut_out(self, expected: set[str]) -> None:
        """403: the activation stops and says why, and goes on with new credentials."""
        self.faults(status=403)
        self.stage.deliver(self.platform)
        activations = Activation.objects.filter(platform=self.platform)
        assert {one.status for one in activations} == {Activation.Status.BROKEN}
        assert all("403" in one.last_error for one in activations)
        self.stage.sandbox.faults(clear=True)
        activations.update(status=Activation.Status.LIVE, last_error="", broken_by="")
        for one in activations:
            one.save()  # raises the configuration's version
        self.tell_until(expected)
