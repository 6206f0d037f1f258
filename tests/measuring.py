"""How much a piece of work costs, told so that it can be compared: nothing here says how fast it has to be."""

import gc
import time
from collections.abc import Callable

RUNS = 3


def seconds(act: Callable[[], object], *, enough: float = 1.0) -> float:
    """Seconds of the processor in this thread: the least of three runs, as all else only adds to it; the first alone
    where it is `enough`. Garbage is not looked for meanwhile, or it is the other tests' that is measured."""
    spent: list[float] = []
    gc.disable()
    try:
        while len(spent) < RUNS and not (spent and spent[0] > enough):
            began = time.thread_time()
            act()
            spent.append(time.thread_time() - began)
    finally:
        gc.enable()
    return min(spent)
