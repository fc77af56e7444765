"""What became of a command that runs between two backups?"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from threading import current_thread, main_thread
from types import FrameType

CANNOT_BE_RUN = 126
NOT_THERE = 127
"""As shells say it (POSIX.1-2017, Shell Command Language, 2.8.2)."""
INTERRUPTED = 130
"""Somebody stopped the backup, and so means the whole."""
_SIGNALLED = 128
_PASSED_ON = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGBREAK")
_FROM_THE_KEYBOARD = {"SIGINT", "SIGQUIT", "SIGWINCH"}
"""A terminal sends these to the command as well as to us."""


class Sides(Enum):
    """Which backups surround the command."""

    BOTH = "both"
    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a failed backup means for the command, and for the exit code."""

    sides: Sides = Sides.BOTH
    regardless: bool = False
    """The command starts though the backup before it failed."""
    strict: bool = False
    """A backup that failed after a command that did not is the exit code."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """The exit codes of the three; None for what was not begun."""

    before: int | None
    command: int | None
    after: int | None
    terms: Terms
    trouble: str = ""
    """Why the command could not be started."""

    @property
    def exit_code(self) -> int:
        """That of the command, if it was begun at all."""
        if self.command is None:
            return self.before or 0
        if self.command == 0 and self.terms.strict:
            return self.before or self.after or 0
        return self.command


def wrap(command: Sequence[str], backup: Callable[[], int], terms: Terms) -> Wrapped:
    """Run the backup, the command with our own input and output, and the backup again.

    ``backup`` returns an exit code and raises nothing that a person can cause.  The second one follows whatever the
    command did, also when a signal ended it, but not when it could not be started: nothing happened since the first.
    """
    before = backup() if terms.sides is not Sides.AFTER else None
    if before and (before == INTERRUPTED or not terms.regardless):
        return Wrapped(before, None, None, terms)
    try:
        status = run_command(command)
    except OSError as error:
        code = NOT_THERE if isinstance(error, FileNotFoundError | NotADirectoryError) else CANNOT_BE_RUN
        return Wrapped(before, code, None, terms, error.strerror or str(error))
    except ValueError as error:  # a zero byte in an argument
        return Wrapped(before, CANNOT_BE_RUN, None, terms, str(error))
    after = backup() if terms.sides is not Sides.BEFORE else None
    return Wrapped(before, status, after, terms)


def run_command(command: Sequence[str]) -> int:
    """Run a command with our input and output, and pass signals on to it; returns its exit status as a shell does.

    Raises:
        OSError: it could not be started.
    """
    with _held_back() as (arrived, attach):
        process = subprocess.Popen(list(command), close_fds=False)  # such as those of the job server of make
        attach(process)
        for number in arrived:
            process.send_signal(number)
        while True:
            try:
                status = process.wait()
            except KeyboardInterrupt:  # Windows, where a handler can be too late
                continue
            return _SIGNALLED - status if status < 0 else status


@contextmanager
def _held_back() -> Iterator[tuple[list[int], Callable[[subprocess.Popen[bytes]], None]]]:
    """Signals to this process go to the command while the block lasts; those before there is one are kept."""
    arrived: list[int] = []
    running: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        if not running:
            arrived.append(number)
        elif not _it_heard(signal.Signals(number).name, running[0].pid):
            running[0].send_signal(number)

    if current_thread() is not main_thread():
        yield arrived, running.append
        return
    names = [name for name in _PASSED_ON if hasattr(signal, name)]
    numbers = [getattr(signal, name) for name in names]
    before = {number: signal.getsignal(number) for number in numbers}
    # What was ignored (nohup) stays so, for the command too: a handler would be reset to the default in it.
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN and handler is not None]
    for number in heard:
        signal.signal(number, pass_on)
    try:
        yield arrived, running.append
    finally:
        for number in heard:
            signal.signal(number, before[number])


def _it_heard(name: str, pid: int) -> bool:
    """Whether the terminal told the command itself: it did, if both belong to the terminal's foreground."""
    if name not in _FROM_THE_KEYBOARD or os.name != "posix":
        return False
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgid(pid)
    except OSError:
        return False
    finally:
        os.close(terminal)
