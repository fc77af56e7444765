"""How is the system told to run coldchain by itself, and to stop doing so?

Only files and blocks that bear coldchain's mark are ever changed or removed; everything is worked out, and what stands
there already is looked at, before the first file is written.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from coldchain.errors import ConfigurationError, UsageError
from coldchain.schedules import crontab, launchd, systemd, windows
from coldchain.schedules.tasks import Installation, Manner, Task, refuse_unspeakable

_MARK = "written by coldchain "


class Target(StrEnum):
    """Whose scheduler it is."""

    SYSTEMD = "systemd"
    CRON = "cron"
    LAUNCHD = "launchd"
    WINDOWS = "windows"


@dataclass(frozen=True, slots=True)
class Machine:
    """What the door knows of this computer."""

    platform: str
    """As ``sys.platform``."""
    environ: Mapping[str, str]
    home: Path
    state: Path
    """The folder of coldchain's own notes."""

    def program(self, name: str) -> str | None:
        """Where a program is, as a shell would find it."""
        return shutil.which(name, path=self.environ.get("PATH", os.defpath))


@dataclass(frozen=True, slots=True)
class Told:
    """What was done, in sentences, and whether the system now does what was wanted."""

    sentences: tuple[str, ...]
    done: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is installed, by the mark that it bears."""

    where: str
    mark: str

    def job_of(self, kind: str, config: str) -> str:
        """The job, when it is of this kind and this configuration; else ""."""
        before, after = f"{_MARK}{kind} install for ", f" of {config}"
        if not (self.mark.startswith(before) and self.mark.endswith(after)):
            return ""
        return self.mark[len(before) : -len(after)]


def usual_target(machine: Machine) -> Target:
    """The scheduler that this machine has."""
    if machine.platform == "win32":
        return Target.WINDOWS
    if machine.platform == "darwin":
        return Target.LAUNCHD
    return Target.SYSTEMD if machine.program("systemctl") else Target.CRON


def folder_of(target: Target, manner: Manner, machine: Machine) -> Path:
    """Where the files of a target lie; never outside the user's own places, but with ``system``."""
    match target:
        case Target.SYSTEMD if manner.system:
            return Path("/etc/systemd/system")
        case Target.SYSTEMD:
            own = machine.environ.get("XDG_CONFIG_HOME", "")
            return (Path(own) if Path(own).is_absolute() else machine.home / ".config") / "systemd" / "user"
        case Target.LAUNCHD if manner.system:
            return Path("/Library/LaunchDaemons")
        case Target.LAUNCHD:
            return machine.home / "Library" / "LaunchAgents"
    return machine.state / "schedules"


def installation(task: Task, target: Target, manner: Manner, machine: Machine, now: datetime) -> Installation:
    """What would be written for a task; raises ConfigurationError when the target cannot say it."""
    refuse_unspeakable(task)
    folder = folder_of(target, manner, machine)
    match target:
        case Target.SYSTEMD:
            return systemd.units(task, manner, folder)
        case Target.LAUNCHD:
            return launchd.agent(task, manner, folder, now)
        case Target.WINDOWS:
            return windows.scheduled(task, manner, folder, now)
    if manner.system:
        raise UsageError("cron has no --system: install it as the user that shall run it, such as root")
    if not task.cron:
        raise UsageError("cron cannot start a program again that ended: choose another --to")
    block = crontab.with_block("", task, now).encode("utf-8", "surrogateescape")
    return Installation(((Path("crontab"), block),), (), ())


def install(tasks: Sequence[Task], target: Target, manner: Manner, machine: Machine, now: datetime) -> Told:
    """Write what is needed, and tell the system; the same again changes nothing.

    Raises:
        ConfigurationError: a target cannot say a schedule, or a file of another one stands there; nothing was written.
    """
    planned = [installation(task, target, manner, machine, now) for task in tasks]
    if target is Target.CRON:
        return _change_crontab(machine, lambda text: _with_blocks(text, tasks, now), [task.job for task in tasks])
    for task, one in zip(tasks, planned, strict=True):
        for path, _ in one.files:
            _refuse_others(path, task)
    sentences, done = [], True
    for one in planned:
        if target is Target.LAUNCHD and any(path.exists() for path, _ in one.files):
            for command in one.end:  # it reads a list again only after it let go of the old one
                _run(command, machine)
        for path, content in one.files:
            sentences.append(_write(path, content))
        for command in one.begin:
            told = _run(command, machine)
            done = done and told.done
            sentences += told.sentences
    return Told(tuple(dict.fromkeys(sentences)), done)


def remove(tasks: Sequence[Task], target: Target, manner: Manner, machine: Machine, now: datetime) -> Told:
    """Take away what bears the mark of these tasks, and nothing else."""
    if target is Target.CRON:
        return _change_crontab(machine, lambda text: _without_blocks(text, tasks), [task.job for task in tasks])
    sentences, done, folder = [], True, folder_of(target, manner, machine)
    for task in tasks:
        paths = [path for path, mark in _marked(folder) if mark == task.mark]
        if not paths:
            sentences.append(f"{task.job}: nothing is installed in {folder}")
            continue
        for command in _endings(task, target, manner, folder):
            told = _run(command, machine)
            done = done and told.done
            sentences += told.sentences
        for path in paths:
            path.unlink()
            sentences.append(f"removed {path}")
        if target is Target.SYSTEMD:
            _run(systemd.reload(manner), machine)  # if not now, it forgets them when it begins anew
    return Told(tuple(sentences), done)


def installed(target: Target, manner: Manner, machine: Machine) -> list[Found]:
    """Everything of coldchain's that a target has, of this configuration and of others."""
    if target is Target.CRON:
        text = _crontab(machine) if machine.program("crontab") else ""
        return [Found("crontab", mark) for mark in crontab.marks(text)]
    return [Found(str(path), mark) for path, mark in _marked(folder_of(target, manner, machine))]


# --- files ------------------------------------------------------------------------------------------------------------


def _endings(task: Task, target: Target, manner: Manner, folder: Path) -> tuple[tuple[str, ...], ...]:
    """How the system is told to let go, though the schedule may have changed or vanished meanwhile."""
    match target:
        case Target.SYSTEMD:
            return systemd.endings(task, manner)
        case Target.LAUNCHD:
            return launchd.endings(task, manner, folder)
    return windows.endings(task)


def _mark_of(path: Path) -> str:
    """The mark that a file bears; "" for none."""
    try:
        content = path.read_bytes()
    except OSError:
        return ""
    if path.suffix == ".plist":
        return launchd.mark_of(content)
    if path.suffix == ".xml":
        return windows.mark_of(content)
    first = content.decode("utf-8", "surrogateescape").partition("\n")[0].removeprefix("# ")
    return first if first.startswith(_MARK) else ""


def _marked(folder: Path) -> Iterator[tuple[Path, str]]:
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if "coldchain" in path.name and (mark := _mark_of(path)):
                yield path, mark


def _refuse_others(path: Path, task: Task) -> None:
    if not os.path.lexists(path):
        return
    mark = _mark_of(path)
    if not mark:
        raise ConfigurationError(f"{path} is there already, and not by coldchain; nothing was written")
    if mark != task.mark:
        raise ConfigurationError(
            f"{path} is there already, {mark}; remove that first, or give one of the two jobs another name"
        )


def _write(path: Path, content: bytes) -> str:
    """Write a file whole or not at all; returns what became of it."""
    if path.is_file() and path.read_bytes() == content:
        return f"{path} is as it should be"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.new")
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
    return f"wrote {path}"


# --- other programs ---------------------------------------------------------------------------------------------------


def _run(command: tuple[str, ...], machine: Machine) -> Told:
    """Run a command of the system; where that is not possible, say which one is left to do."""
    program, shown = machine.program(command[0]), shlex.join(command)
    if program is None:
        return Told((f"there is no {command[0]} here; what is left to do: {shown}",), done=False)
    try:
        ended = subprocess.run([program, *command[1:]], capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return Told((f"this did not work, and is left to do: {shown}",), done=False)
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "backslashreplace").strip().partition("\n")[0]
        return Told((f"this did not work, and is left to do: {shown} ({said})",), done=False)
    return Told(())


def _crontab(machine: Machine) -> str:
    """The crontab of this user, "" for none.

    Raises:
        ConfigurationError: it could not be read; writing one then would wipe out what stands there.
    """
    program = machine.program("crontab")
    if program is None:
        raise ConfigurationError("there is no crontab here; choose another --to, or see what it would be with --print")
    environ = {**machine.environ, "LC_ALL": "C"}
    ended = subprocess.run([program, "-l"], capture_output=True, check=False, timeout=60, env=environ)
    if ended.returncode and b"no crontab for" not in ended.stderr:
        said = ended.stderr.decode("utf-8", "backslashreplace").strip()
        raise ConfigurationError(f"the crontab cannot be read, so it was not touched: {said}")
    return "" if ended.returncode else ended.stdout.decode("utf-8", "surrogateescape")


def _change_crontab(machine: Machine, change: Callable[[str], str], jobs: Sequence[str]) -> Told:
    before = _crontab(machine)
    after = change(before)
    if after == before:
        return Told((f"the crontab is as it should be for {', '.join(jobs)}",))
    program = machine.program("crontab") or "crontab"
    content = after.encode("utf-8", "surrogateescape")
    ended = subprocess.run([program, "-"], input=content, capture_output=True, check=False, timeout=60)
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "backslashreplace").strip()
        raise ConfigurationError(f"the crontab was not changed: {said}")
    return Told((f"changed the crontab for {', '.join(jobs)}",))


def _with_blocks(text: str, tasks: Sequence[Task], now: datetime) -> str:
    for task in tasks:
        if not crontab.holds(text, task, now):
            text = crontab.with_block(text, task, now)
    return text


def _without_blocks(text: str, tasks: Sequence[Task]) -> str:
    for task in tasks:
        text = crontab.without_block(text, task.mark)
    return text
