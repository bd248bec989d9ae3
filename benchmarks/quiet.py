"""Whether a hub has done all that it was told so far."""


def is_quiet(activation: int) -> bool:
    """Nothing is waiting, and the activation's segment exists."""
    from activation.models import Activation
    from core.scope import EVERYTHING
    from pipeline.backlog import counts

    live = Activation.objects.filter(id=activation, status=Activation.Status.LIVE)
    return live.exists() and not any(counts(EVERYTHING).values())


def nothing_waits() -> bool:
    """Whether the hub has nothing to do, for nobody."""
    from core.scope import EVERYTHING
    from pipeline.backlog import counts

    return not any(counts(EVERYTHING).values())
