"""Whether a hub has done all that it was told so far."""


def is_quiet(activation: int) -> bool:
    """Nothing is waiting, and the activation's segment exists."""
    from activation.models import Activation  # noqa: PLC0415 (models need Django's settings)
    from pipeline.quiet import counts  # noqa: PLC0415

    live = Activation.objects.filter(id=activation, status=Activation.Status.LIVE)
    return live.exists() and not any(counts().values())
