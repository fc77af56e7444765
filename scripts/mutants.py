"""Would a test notice, if somebody broke this module?

    .venv/bin/python -m scripts.mutants steps/compare.py ledger
    make mutants ARGS="steps/compare.py ledger"

Works on a copy of the project.  Every test that needs no other process is run once, and it is noted which functions
each one enters; then for each mutant (see ``mutations.py``) a fork of this process gets the mutated function and runs
the tests that enter it, the quick ones first, until one fails.  Survivors in ``mutants-known.txt`` are known; why each
may live is said in docs/mutants.md.  Exit code 1 when there are others.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import gc
import importlib
import inspect
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import NamedTuple

import hypothesis
import pytest

from scripts.mutations import mutants

PROJECT = Path(__file__).resolve().parents[1]
KNOWN = PROJECT / "scripts" / "mutants-known.txt"
"""Survivors, one a line: the module, ": " and the change as it is printed; "#" opens a remark."""
TESTS = ("steps", "content", "ledger", "stores/local", "stores/test_contract.py", "stores/test_retrying.py", "operate",
         "promises")  # fmt: skip
PACKAGES = ("content", "steps", "ledger", "stores", "stores/local", "stores/objects", "stores/wrapped", "operate")
OUTSIDE = (".cli(", ".ready(", ".started(", "Popen(", "subprocess.", "strace")
"""Who says one of these starts other processes, which know nothing of a mutated function."""
SERVERS = frozenset({"postgres_server", "postgres_url"})
LONGEST_S = 6.0
GRACE_S = 12.0
SURVIVED, KILLED = 0, 1

Name = tuple[str, str, int]
"""File, qualified name and first line of a function: what a mutant of it keeps."""


class Task(NamedTuple):
    """One mutant, ready to be tried."""

    module: str
    line: int
    change: str
    function: Name
    code: CodeType


class Plugin:
    """Takes the place of pytest's loop over the tests."""

    def __init__(self, targets: list[Path], limits: argparse.Namespace, tell: Callable[[str], None]) -> None:
        self.targets, self.limits, self.tell = targets, limits, tell
        self.wanted = _wanted(targets, limits)
        self.failed = False
        self.finished = False
        self.found: Counter[tuple[str, str]] = Counter()
        self.survivors: list[Task] = []
        self.entered: Collection[Name] = ()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or report.failed

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("a file of tests could not be read")
        _load_everything()
        items = [item for item in session.items if isinstance(item, pytest.Function) and _stays_inside(item)]
        self.tell(f"{len(items)} of {len(session.items)} tests need no other process")
        entered, took_s = self._listen(items)
        self.entered = entered.keys()
        functions: dict[Name, list[FunctionType]] = {}
        for found in gc.get_objects():
            if isinstance(found, FunctionType):
                functions.setdefault(_name(found.__code__), []).append(found)
        gc.collect()
        gc.freeze()
        tasks = [task for target in self.targets for task in _tasks(target)]
        tasks = [task for task in tasks if self.wanted is None or (task.module, task.line) in self.wanted]
        if unknown := {task.function for task in tasks} - functions.keys():
            raise session.Interrupted(f"never loaded, so that no test could see a mutant of it: {sorted(unknown)}")
        self.tell(f"{len(tasks)} mutants")
        running: dict[int, Task] = {}
        for task in tasks:
            chosen = sorted((i for i in entered.get(task.function, ())), key=lambda i: took_s[i])
            if len(running) >= self.limits.jobs:
                self._wait(running)
            spent_s = accumulate(took_s[i] for i in chosen)
            tests = [
                (items[i], took_s[i])
                for i, so_far_s in zip(chosen, spent_s, strict=True)
                if so_far_s <= self.limits.budget_s
            ]
            child = _fork(partial(self._try, task, functions, tests))
            running[child] = task
        while running:
            self._wait(running)
        self.finished = True
        return True

    def _listen(self, items: list[pytest.Function]) -> tuple[dict[Name, set[int]], dict[int, float]]:
        """Which functions does each test enter, and how long does it take?  Those that fail as it is are left out."""
        file = Path("entered.txt").resolve()

        def listen() -> int:
            seen: set[CodeType] = set()
            _own_folder(items)

            def trace(frame: FrameType, event: str, arg: object) -> None:
                seen.add(frame.f_code)

            threading.settrace(trace)
            with file.open("w") as out:
                for number, item in enumerate(items):
                    seen.clear()
                    self.failed, began = False, time.monotonic()
                    sys.settrace(trace)
                    self._run(item)
                    sys.settrace(None)
                    took_s = time.monotonic() - began
                    if self.failed or took_s > LONGEST_S:
                        self.tell(f"left out ({'failed' if self.failed else f'{took_s:.0f} s'}): {item.nodeid}")
                        continue
                    lines = {_name(code) for code in list(seen) if "/coldchain/" in code.co_filename}
                    out.write(f"{number}\t{took_s}\t{sorted(lines)!r}\n")
            return 0

        child = _fork(listen)
        os.waitpid(child, 0)
        shutil.rmtree(Path("tmp", str(child)), ignore_errors=True)
        entered: dict[Name, set[int]] = {}
        took_s: dict[int, float] = {}
        for line in file.read_text().splitlines():
            number, took, names = line.split("\t")
            took_s[int(number)] = float(took)
            for name in eval(names):  # our own words of a moment ago
                entered.setdefault(name, set()).add(int(number))
        file.unlink()
        self.tell(f"{len(took_s)} tests take {sum(took_s.values()):.0f} s")
        return entered, took_s

    def _run(self, item: pytest.Item) -> None:
        # No next test: what tests share of a module or a session is made anew for each.
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)

    def _try(
        self, task: Task, functions: dict[Name, list[FunctionType]], tests: Sequence[tuple[pytest.Function, float]]
    ) -> int:
        _own_folder([item for item, _ in tests[:1]])
        ours, theirs = socket.socketpair()
        if not os.fork():  # the sound function, which runs the tests that fail once more
            ours.close()
            while asked := theirs.recv(16):
                theirs.send(b"fails" if self._fails(*tests[int(asked)]) else b"passes")
            os._exit(0)
        theirs.close()
        for function in functions[task.function]:
            function.__code__ = task.code
        for number, (item, usual_s) in enumerate(tests):
            if self._fails(item, usual_s):
                with contextlib.suppress(OSError):  # a test that hung took it along
                    ours.send(str(number).encode())
                    if ours.recv(16) == b"passes":
                        return KILLED
        return SURVIVED

    def _fails(self, item: pytest.Function, usual_s: float) -> bool:
        self.failed = False
        signal.setitimer(signal.ITIMER_REAL, GRACE_S + 10 * usual_s)  # what hangs ends by SIGALRM
        self._run(item)
        return self.failed

    def _wait(self, running: dict[int, Task]) -> None:
        """Until one of those that run has ended; what it started and left behind is ended too."""
        child, status = os.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        shutil.rmtree(Path("tmp", str(child)), ignore_errors=True)
        task = running.pop(child)
        self._note(
            task,
            survived=os.waitstatus_to_exitcode(status) == SURVIVED,
            entered=task.function in self.entered,
        )

    def _note(self, task: Task, *, survived: bool, entered: bool) -> None:
        self.found[task.module, "survived" if survived else "killed"] += 1
        if survived:
            self.survivors.append(task)
            self.tell(f"line {task.line}: {_row(task)}{'' if entered else ' (no test enters it)'}")


def _own_folder(items: Sequence[pytest.Item]) -> None:
    """Give the tests of this fork a folder of their own.

    pytest empties the folder that it was told of when the first test asks for one, and so each fork emptied that of the
    others: whatever kept a file open across tests, as a ledger does, failed, with the sound function too.
    """
    folder = Path("tmp", str(os.getpid())).resolve()
    for item in items[:1]:
        folder.mkdir(parents=True)
        item.config._tmp_path_factory._basetemp = folder  # type: ignore[attr-defined]


def _name(code: CodeType) -> Name:
    return code.co_filename, code.co_qualname, code.co_firstlineno


def _load_everything() -> None:
    """What forks would otherwise import each for itself."""
    for package in PACKAGES:
        for file in sorted(Path("src/coldchain", package).glob("*.py")):
            if file.stem not in {"__init__", "win32", "windows"}:
                importlib.import_module(".".join(["coldchain", *Path(package).parts, file.stem]))
    for name in ("sqlalchemy.dialects.sqlite", "alembic.command", "blake3", "pydantic", "filelock", "pathspec"):
        importlib.import_module(name)


def _stays_inside(item: pytest.Function) -> bool:
    if SERVERS & set(item.fixturenames) or "postgresql" in item.name or "_p17_" in item.name:
        return False
    text = inspect.getsource(item.function)
    return not any(word in text for word in OUTSIDE)


def _tasks(file: Path) -> Iterator[Task]:
    source = file.read_text()
    module = str(file.relative_to("src/coldchain"))
    filename = str(file.resolve())
    for mutant in mutants(source):
        code = compile(mutant.tree, filename, "exec", dont_inherit=True)
        found = next(inner for inner in _codes(code) if inner.co_qualname == mutant.function)
        yield Task(module, mutant.line, mutant.change, _name(found), found)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield inner
            yield from _codes(inner)


def _fork(work: Callable[[], int]) -> int:
    child = os.fork()
    if child:
        return child
    code = KILLED
    try:
        os.setsid()
        _own_mounts()
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(nowhere, number)
        code = work()
    except BaseException:  # whatever a mutant does ends here: a fork must never go on as if it were its parent
        code = KILLED
    finally:
        os._exit(code)


def _own_mounts() -> None:
    """What the tests of this fork mount is seen by nobody else, and gone with it, however it ends: unshare(2)."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return  # then no test mounts anything
    libc, new_mounts, recursive_private = ctypes.CDLL(None, use_errno=True), 0x20000, 0x4000 | 1 << 18
    if libc.unshare(new_mounts) or libc.mount(b"none", b"/", None, ctypes.c_ulong(recursive_private), None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        if (place := line.split(" ")[4]).startswith("/tmp/"):
            libc.umount2(os.fsencode(place), 2)  # what other tests mounted just now would be held by us


def _files(names: list[str]) -> list[Path]:
    found: list[Path] = []
    for name in names:
        place = Path("src/coldchain", name)
        found += [place] if place.is_file() else sorted(place.rglob("*.py"))
    if not found:
        raise SystemExit(f"there is no module in {names}")
    return found


def _wanted(targets: list[Path], limits: argparse.Namespace) -> set[tuple[str, int]] | None:
    """The modules and lines to be searched, or None for all."""
    if not limits.lines and not limits.since:
        return None
    return {
        (str(file.relative_to("src/coldchain")), line)
        for file in targets
        for line in limits.lines or _changed(file, limits.since)
    }


def _changed(file: Path, commit: str) -> Iterator[int]:
    """The lines of a module that are not as they were in that commit."""
    command = ["git", "-C", str(PROJECT), "diff", "--unified=0", "--no-ext-diff", commit, "--", str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for first, count in re.findall(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@", said, re.MULTILINE):
        yield from range(int(first), int(first) + int(count or 1))


def _rows(plugin: Plugin, known: Collection[str]) -> Iterator[str]:
    yield "| module | mutants | killed | survivors |"
    for module in sorted({module for module, _ in plugin.found}):
        killed, survived = plugin.found[module, "killed"], plugin.found[module, "survived"]
        yield f"| {module} | {killed + survived} | {killed} | {survived} |"
    for task in plugin.survivors:
        if _row(task) not in known:
            yield f"NEW {_row(task)} (line {task.line})"


def _row(task: Task) -> str:
    return f"{task.module}: {task.change}"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("modules", nargs="+", help="files or folders below src/coldchain")
    arguments.add_argument("--tests", nargs="*", default=list(TESTS), help="files or folders below tests")
    lines = arguments.add_mutually_exclusive_group()
    lines.add_argument("--lines", nargs="*", type=int, help="only what stands in these lines")
    lines.add_argument("--since", metavar="COMMIT", help="only what stands in lines that changed since then")
    arguments.add_argument("--budget-s", type=float, default=60.0, help="at most so much of usual time for a mutant")
    arguments.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="so many at once")
    chosen = arguments.parse_args()
    out = os.fdopen(os.dup(1), "w", buffering=1)
    with tempfile.TemporaryDirectory(prefix="coldchain-mutants-") as folder:
        unwanted = shutil.ignore_patterns(".*", "__pycache__", "dist", "build")
        shutil.copytree(PROJECT, folder, ignore=unwanted, dirs_exist_ok=True)
        os.chdir(folder)
        sys.path.insert(0, str(Path(folder, "src")))
        os.environ["PYTHONPATH"] = str(Path(folder, "src"))
        hypothesis.settings.register_profile(
            "mutants",
            derandomize=True,
            database=None,
            deadline=None,
            max_examples=30,
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        hypothesis.settings.load_profile("mutants")
        plugin = Plugin(_files(chosen.modules), chosen, lambda line: print(line, file=out))
        tests = [str(Path("tests", name)) for name in chosen.tests]
        quiet = [
            "-W",
            "ignore::pytest.PytestAssertRewriteWarning",
            "-n0",
            "-q",
            "-s",
            "--tb=no",
            "-p",
            "no:cacheprovider",
            "--basetemp",
            str(Path(folder, "tmp")),
        ]
        pytest.main([*quiet, *tests], plugins=[plugin])
        if not plugin.finished:
            raise SystemExit("it came to no end: what was said before says nothing of what was not tried")
        rows = list(_rows(plugin, KNOWN.read_text().splitlines()))
    print(*rows, sep="\n", file=out)
    return int(any(row.startswith("NEW") for row in rows))


if __name__ == "__main__":
    sys.exit(main())
