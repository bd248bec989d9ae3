"""Python's garbage collector, tuned for processes that make hardly any reference cycles.

By default the collector looks through the objects of a batch so often that a third of an absorber's time goes into it.
"""

import gc

_YOUNG_OBJECTS = 100_000
_COLLECTIONS = 50


def import_quickly() -> None:
    """Look for cycles less often: a fifth of the time that a process needs to import its modules goes into that.

    Call it before them.
    """
    gc.set_threshold(_YOUNG_OBJECTS)


def collect_rarely() -> None:
    """Keep all that is loaded now out of collections, and look for cycles rarely. Call it once, after the imports.

    The youngest generation is collected when `_YOUNG_OBJECTS` more were made than freed; an older one after
    `_COLLECTIONS` collections of the one before it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _COLLECTIONS, _COLLECTIONS)
