"""Garbage collection, for a process that runs for long and handles thousands of values at once."""

import gc

YOUNG, MIDDLE, OLD = 20_000, 20, 50


def settle() -> None:
    """Call it once everything is imported: that is never looked through again, and a batch alone sets off no search.

    With Python's own thresholds a third of a worker's time goes into looking for cycles where there are none.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
