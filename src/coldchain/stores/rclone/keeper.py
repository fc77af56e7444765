"""Who ends rclone when the process that needs it dies?

Run as a program of its own, with nothing but the standard library.  Its standard input is a pipe that coldchain holds
open: at the end of it, however coldchain ended (SIGKILL as well), rclone is ended and its private folders are removed.
PR_SET_PDEATHSIG in coldchain itself would end rclone with the *thread* that started it; here there is one thread only,
and the signal sees to rclone should this keeper be killed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_LOOK_S, _END_S = 0.5, 5.0


def _die_with_parent() -> None:
    import ctypes  # loaded here, between fork and exec: there is one thread only

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)


def _wait_for_end(ended: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    ended.set()


def main(folders: list[str], command: list[str]) -> int:
    """Run ``command`` until it ends or standard input does; then remove ``folders``."""
    before = os.getppid()
    prepare = _die_with_parent if sys.platform == "linux" else None
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=prepare)  # noqa: PLW1509
        ended = threading.Event()
        threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
        # a pipe that a forked child of coldchain holds open as well never ends, so the parent is watched besides
        while process.poll() is None and not ended.wait(_LOOK_S) and os.getppid() == before:
            pass
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        return process.returncode
    finally:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    import signal

    # Ctrl-C goes to the whole group; rclone must last until coldchain has cleaned up
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    count = int(sys.argv[1])
    sys.exit(main(sys.argv[2 : 2 + count], sys.argv[2 + count :]))
