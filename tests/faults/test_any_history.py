"""Are the promises kept in any history of acquisitions, accidents and commands?

Hypothesis writes the histories; the oracle judges every run.  In the suite the histories are few and always the same.
To search for longer and anew: COLDCHAIN_HISTORIES=2000 make test ARGS="-n0 -s tests/faults/test_any_history.py"
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import unicodedata
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, precondition, rule

from coldchain.config.values import OnChange
from coldchain.errors import ColdchainError
from coldchain.model import State
from coldchain.steps.identify import Consent
from coldchain.testing.oracle import read_tree
from tests.faults.world import Ended, World, sha256

HISTORIES = int(os.environ.get("COLDCHAIN_HISTORIES", "0"))
PHASES = [Phase.generate, Phase.shrink]
"""Shrinking takes minutes: it is for those who search."""
MEMORY = Path("/dev/shm")
NAMES = [
    "a",
    "A",
    "b.txt",
    "d/a",
    "d/b.x",
    "d-x",
    "d.x/y",
    "e/f/g",
    unicodedata.normalize("NFC", "e/ü"),
    unicodedata.normalize("NFD", "e/ü"),
    "new\nline",
    "\udcff\udcfe.raw",
    "-rf *",
    "trailing. ",
    "\U0001f600",
    "\uffff",
]
paths = st.sampled_from(NAMES)
destinations = st.sampled_from(["nas", "tape"])
CALLS = "write,pwrite64,fsync,fdatasync,syncfs,rename,renameat2,unlink,unlinkat,mkdirat"


class History(RuleBasedStateMachine):
    """One source, two destinations, and everybody who has a hand in them."""

    olds = Bundle("olds")

    @initialize(datasets=st.sampled_from(["whole", "folders"]))
    def begin(self, datasets: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="coldchain-", dir=MEMORY if MEMORY.is_dir() else None))
        self.world = World(self.folder, ("nas", "tape"), job=f'datasets = "{datasets}"')
        self.must: dict[str, dict[str, set[str]]] = {"nas": {}, "tape": {}}
        """destination -> path -> contents that were verified there and that nobody may have removed."""
        self.current: dict[str, dict[str, str]] = {"nas": {}, "tape": {}}
        self.number = 0
        self.write_file("a", 3)

    def teardown(self) -> None:
        shutil.rmtree(getattr(self, "folder", ""), ignore_errors=True)

    def content(self, size_bytes: int) -> bytes:
        """Never the same twice, unless it is empty."""
        self.number += 1
        return (f"{self.number:05} " * (size_bytes // 6 + 1)).encode()[: max(size_bytes, 6)] if size_bytes else b""

    # --- the instrument --------------------------------------------------------------------------------------------

    def plain(self) -> list[str]:
        return sorted(path for path, content in read_tree(self.world.source).items() if len(content) == 64)

    def free(self, path: str) -> bool:
        """Nothing is in the way of a file of this path."""
        file = self.world.source / path
        return not file.is_symlink() and not file.is_dir()

    @rule(path=paths, size_bytes=st.sampled_from([0, 6, 60, 5000]))
    def write_file(self, path: str, size_bytes: int) -> None:
        if self.free(path):
            self.world.write(path, self.content(size_bytes))

    @rule(data=st.data(), restamp=st.booleans())
    def rewrite_with_the_same_size(self, data: st.DataObject, restamp: bool) -> None:
        if files := self.plain():
            file = self.world.source / (path := data.draw(st.sampled_from(files)))
            before = file.stat()
            content = self.content(6)[:6] * (before.st_size // 6 + 1)
            self.world.write(path, content[: before.st_size], mtime_ns=before.st_mtime_ns if restamp else None)

    @rule(data=st.data(), deed=st.sampled_from(["append", "delete", "touch", "rename", "chmod", "relink"]), new=paths)
    def change(self, data: st.DataObject, deed: str, new: str) -> None:
        if not (files := self.plain()):
            return
        path = data.draw(st.sampled_from(files))
        file = self.world.source / path
        match deed:
            case "append":
                self.world.write(path, file.read_bytes() + b"more")
            case "delete":
                file.unlink()
            case "touch":
                os.utime(file)
            case "chmod":
                file.chmod(0o400)
            case "relink":
                self.world.write(path, file.read_bytes())
            case _ if self.free(new):
                self.world.knows(new, file.read_bytes())
                (self.world.source / new).parent.mkdir(parents=True, exist_ok=True)
                file.rename(self.world.source / new)

    @rule(name=st.sampled_from(["link", "d/link"]), folder=st.sampled_from(["empty", "d/empty"]))
    def link_and_folder(self, name: str, folder: str) -> None:
        (self.world.source / folder).mkdir(parents=True, exist_ok=True)
        if not (self.world.source / name).is_symlink():
            (self.world.source / name).parent.mkdir(parents=True, exist_ok=True)
            (self.world.source / name).symlink_to("a")
        self.world.knows(name)

    # --- other people at a destination -----------------------------------------------------------------------------

    def keys(self, name: str) -> list[str]:
        tree = read_tree(self.world.at[name])
        return sorted(key for key in tree if not key.startswith(".coldchain"))

    def forgive(self, name: str, digest: str) -> None:
        for contents in self.must[name].values():
            contents.discard(digest)

    @rule(name=destinations, data=st.data(), edit=st.booleans())
    def meddle_with_a_copy(self, name: str, data: st.DataObject, edit: bool) -> None:
        if keys := self.keys(name):
            key = data.draw(st.sampled_from(keys))
            file = self.world.at[name] / key
            self.forgive(name, sha256(file.read_bytes()))
            self.world.strangers[name].pop(key, None)
            file.unlink()
            if edit:
                self.world.put(name, key, self.content(30))

    @rule(name=destinations, path=paths, equal=st.booleans())
    def put_a_foreign_file(self, name: str, path: str, equal: bool) -> None:
        file, here = self.world.at[name] / path, self.world.source / path
        if file.exists() or any(parent.is_file() for parent in file.parents):
            return
        if equal and here.is_file() and not here.is_symlink():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(here.read_bytes())
        else:
            self.world.put(name, path, self.content(12))

    # --- the ledger ------------------------------------------------------------------------------------------------

    @rule(target=olds)
    def keep_a_copy_of_the_ledger(self) -> Path:
        old = self.folder / f"old{self.number}.sqlite"
        self.number += 1
        with self.world.ledger():
            pass
        shutil.copy(self.world.ledger_file, old)
        return old

    def lose_ledger(self) -> None:
        for file in self.world.ledger_file.parent.glob("ledger.sqlite*"):
            file.unlink()

    @rule()
    def delete_the_ledger(self) -> None:
        self.lose_ledger()

    @rule(old=consumes(olds))
    def restore_an_older_ledger(self, old: Path) -> None:
        self.lose_ledger()
        shutil.copy(old, self.world.ledger_file)

    # --- commands --------------------------------------------------------------------------------------------------

    def judge(self, ended: Ended, on_change: OnChange, names: tuple[str, ...]) -> None:
        here = read_tree(self.world.source)
        if ended.report is not None:
            for name in names:
                for path in self.plain():
                    if (path, name) not in ended.troubles:
                        contents = self.must[name].setdefault(path, set())
                        if on_change is OnChange.REPLACE:
                            contents.discard(self.current[name].get(path, ""))
                        contents.add(here[path])
                        self.current[name][path] = here[path]
                        self.world.strangers[name].pop(path, None)  # equal bytes were adopted
        self.world.kept = {
            path: set().union(*(self.must[name].get(path, set()) for name in names)) for path in self.world.history
        }
        world = self.world
        at, strangers = world.at, world.strangers
        world.at = {name: at[name] for name in names}
        world.strangers = {name: strangers[name] for name in names}
        try:
            world.judge(ended)
        finally:
            world.at, world.strangers = at, strangers
        for name, paths_there in self.must.items():
            there = set(read_tree(self.world.at[name]).values())
            for path, contents in paths_there.items():
                assert contents <= there, f"{name}: a verified content of {path!r} is gone"
        assert not self.world.leftovers()

    @rule(on_change=st.sampled_from(OnChange), only=st.sampled_from([("nas",), ("tape",), ("nas", "tape")]))
    def run(self, on_change: OnChange, only: tuple[str, ...] = ("nas", "tape")) -> None:
        job = self.world.job
        job = replace(job, on_change=on_change, destinations=tuple(d for d in job.destinations if d.name in only))
        ended = self.world.run(job, consent=Consent(init=True, accept_source=True))
        if ended.error is not None and type(ended.error).__name__ == "LedgerStale":
            self.judge(ended, on_change, only)
            self.rebuild(quick=False)
            ended = self.world.run(job, consent=Consent(init=True, accept_source=True))
        self.judge(ended, on_change, only)
        if ended.report is not None:
            held = {where for where, (state, _) in ended.troubles.items() if state is not State.VERIFIED}
            assert self.world.to_send(job) <= held, "a second run would send what was verified"

    @rule(quick=st.booleans())
    def rebuild(self, quick: bool) -> None:
        try:
            self.world.rebuild(quick=quick)
        except ColdchainError as error:
            assert error.exit_code == 3

    @rule(repair=st.booleans())
    def check(self, repair: bool) -> None:
        try:
            report = self.world.check(repair=repair)
        except ColdchainError as error:
            assert error.exit_code in {3, 6}
            return
        self.note_mended([(name, finding.record.key) for name, finding, done in report.shown if done])
        self.judge(Ended(130, None, ColdchainError("check"), {}), OnChange.REFUSE, ("nas", "tape"))

    def note_mended(self, mended: list[tuple[str, str]]) -> None:
        for name, key in mended:
            edited = self.world.strangers[name].pop(key, None)
            aside = {v for k, v in self.world.strangers[name].items() if k.startswith(".coldchain/set-aside")}
            assert edited is None or edited in aside, "what was edited was thrown away by a repair"

    @rule(name=destinations, data=st.data())
    def rot_and_mend(self, name: str, data: st.DataObject) -> None:
        """A byte rots under the same size and mtime: check finds it, and mends it from whoever still has it."""
        with self.world.ledger() as ledger:
            sets = [ledger.all_records("j", name, dataset) for dataset in ledger.datasets("j")]
            records = {record.key: record.digest.value for found in sets for record in found}
        tree = read_tree(self.world.at[name])
        keys = sorted(key for key in records if tree.get(key) == records[key] != sha256(b""))
        if not keys:
            return
        file = self.world.at[name] / data.draw(st.sampled_from(keys))
        key, status, content = str(file.relative_to(self.world.at[name])), file.stat(), file.read_bytes()
        with file.open("r+b") as opened:
            opened.write(bytes([content[0] ^ 1]))
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        try:
            found = self.world.check()
            mended = self.world.check(repair=True)
        except ColdchainError as error:
            assert error.exit_code == 3  # a ledger that is stale or knows no destination
            file.write_bytes(content)
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
            return
        assert found.exit_code == 4
        assert (name, key, "corrupt") in {(where, f.record.key, f.state) for where, f, _ in found.shown}
        self.note_mended(
            [(where, f.record.key) for where, f, done in mended.shown if done and (where, f.record.key) != (name, key)]
        )
        if any(done and (where, f.record.key) == (name, key) for where, f, done in mended.shown):
            assert file.read_bytes() == content
        else:
            assert mended.exit_code == 4
            file.write_bytes(content)
            os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


class HistoryWithKills(History):
    """The same, and now and then the program is killed."""

    kills = 0

    @precondition(lambda self: self.kills < 2)
    @rule(on_change=st.sampled_from(OnChange), when=st.integers(1, 90))
    def killed(self, on_change: OnChange, when: int) -> None:
        self.kills += 1
        job = self.world.job
        self.world.configure(f'on_change = "{on_change}"\ndatasets = "{job.datasets}"')
        inject = f"inject={CALLS}:signal=KILL:when={when}"
        wrap = ("strace", "-f", "-qq", "-o", os.devnull, "-e", f"trace={CALLS}", "-e", inject)
        try:
            self.world.command("run", "j", "--init", "--accept-source", wrap=wrap)
        except subprocess.TimeoutExpired:
            raise AssertionError("it hangs") from None
        self.run(on_change, ("nas", "tape"))


def test_p01_to_p11_in_any_history() -> None:
    print(__doc__)
    _search(History, HISTORIES or 30, 25)


def test_p11_in_any_history_with_kills() -> None:
    print(__doc__)
    if shutil.which("strace") is None:
        import pytest

        pytest.skip("needs the Debian package strace")
    _search(HistoryWithKills, HISTORIES // 10 or 2, 8)


def _search(machine: type[History], examples: int, steps: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=not HISTORIES,
            database=None,
            phases=PHASES if HISTORIES else PHASES[:1],
            suppress_health_check=list(HealthCheck),
        ),
    )
