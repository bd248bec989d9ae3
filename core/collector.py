"""Python's collector of cycles, for processes that make hardly any: by default it looks through what a batch holds so
often that a third of an absorber's time goes into it."""

import gc

YOUNG = 100_000  # objects more than were freed, after which the youngest are looked through
OLDER = 50  # … and how often that happens before the next generation is


def spare() -> None:
    """To be called once all is loaded: it stays, and cycles are looked for rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDER)
