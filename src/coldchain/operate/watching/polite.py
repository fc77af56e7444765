"""How does a watcher keep out of the way of the instrument and its people?"""

from __future__ import annotations

import sys
from contextlib import suppress
from fnmatch import fnmatch

from coldchain.operate.planning import ACQUIRING

_NICE = 10
_LAST_BEST_EFFORT = 7


def step_back() -> None:
    """Lower the priority of this process, and of what it starts, for processor and disk; where that cannot be, no harm.

    The disk's idle class is not used: under a busy disk it would starve a transfer for ever.
    """
    import psutil

    process = psutil.Process()
    with suppress(psutil.Error, OSError, AttributeError):
        if sys.platform == "win32":
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
            process.ionice(psutil.IOPRIO_LOW)
        else:
            process.nice(max(_NICE, int(process.nice() or 0)))
            if sys.platform == "linux":
                process.ionice(psutil.IOPRIO_CLASS_BE, _LAST_BEST_EFFORT)


def running_one(patterns: tuple[str, ...]) -> str:
    """The name of a running process that fits one of the shell patterns, in any case of letters; "" for none."""
    wanted = [pattern.lower() for pattern in patterns if pattern != ACQUIRING]
    if not wanted:
        return ""
    import psutil

    for process in psutil.process_iter(["name"]):
        name = process.info["name"] or ""
        if any(fnmatch(name.lower(), pattern) for pattern in wanted):
            return str(name)
    return ""
