"""What if names and folders are chosen by somebody who means harm, while coldchain is at work?"""

from __future__ import annotations

import ctypes
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from coldchain.errors import ColdchainError, StoreError
from coldchain.model import Entry, Place
from coldchain.steps.deliver import deliver
from coldchain.steps.second_opinion import Opinion, would_carry
from coldchain.stores.base import open_store
from coldchain.stores.local.posix import PosixRoot
from tests.promises.lab import Lab, data

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="renameat2, and names that Windows and macOS refuse")

CANARY = b"somebody's own file, outside"
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # renameat2(2)


@contextmanager
def meanwhile(deed: Callable[[], None]) -> Iterator[None]:
    """Do something again and again, from another thread."""
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            deed()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def swapping(folder: Path, outside: Path) -> Callable[[], None]:
    """Let a folder and a link to elsewhere take each other's place, so that there is always one of them."""
    link = folder.with_name("link aside")
    link.symlink_to(outside)
    exchange = ctypes.CDLL(None, use_errno=True).renameat2

    def swap() -> None:
        for _ in range(2):
            done = exchange(AT_FDCWD, os.fsencode(folder), AT_FDCWD, os.fsencode(link), RENAME_EXCHANGE)
            assert done == 0, os.strerror(ctypes.get_errno())
            time.sleep(0.0005)

    return swap


@pytest.fixture
def outside(lab: Lab) -> Path:
    """A folder that is nobody's business, with files of the names that are carried."""
    folder = lab.folder / "outside"
    folder.mkdir()
    for number in range(40):
        (folder / f"f{number:04d}.tif").write_bytes(CANARY)
    return folder


def test_a_folder_of_the_source_that_becomes_a_link_again_and_again_brings_nothing_from_outside(
    lab: Lab, outside: Path
) -> None:
    lab.acquire(40)
    lab.run()
    with meanwhile(swapping(lab.source / "run", outside)):
        for seed in range(2, 5):
            lab.acquire(40, folder="more", seed=seed)
            attempt(lab)
    for name, content in data(lab.nas).items():
        assert content != CANARY, name
    attempt(lab)
    assert data(lab.nas)["run/f0000.tif"] == data(lab.source)["run/f0000.tif"]


def test_a_folder_of_the_destination_that_becomes_a_link_again_and_again_lets_nothing_out(
    lab: Lab, outside: Path
) -> None:
    lab.acquire(1)
    lab.run()
    before = {file.name: (file.read_bytes(), file.stat().st_ino) for file in outside.iterdir()}
    with meanwhile(swapping(lab.nas / "run", outside)):
        for seed in range(2, 5):
            lab.acquire(40, seed=seed)
            attempt(lab)
    assert {file.name: (file.read_bytes(), file.stat().st_ino) for file in outside.iterdir()} == before
    shutil.rmtree(lab.nas / "run")
    attempt(lab, accept_changes=True)
    assert data(lab.nas) == data(lab.source)


def test_a_folder_of_a_restore_that_becomes_a_link_again_and_again_lets_nothing_out(lab: Lab, outside: Path) -> None:
    lab.acquire(40)
    lab.ready()
    back = lab.folder / "back"
    (back / "run").mkdir(parents=True)
    before = {file.name: (file.read_bytes(), file.stat().st_ino) for file in outside.iterdir()}
    with meanwhile(swapping(back / "run", outside)):
        for words in ((), ("--overwrite",)):
            done = lab.cli("restore", "lab", "run", "--to", str(back), *words)
            assert done.code in {0, 3}, done.said
    assert {file.name: (file.read_bytes(), file.stat().st_ino) for file in outside.iterdir()} == before


def test_no_read_goes_through_a_folder_that_is_swapped(lab: Lab, outside: Path) -> None:
    lab.acquire(3)
    read = 0
    with meanwhile(swapping(lab.source / "run", outside)):
        for _ in range(300):
            store = open_store(Place("here", str(lab.source)))
            for number in range(3):
                with suppress(StoreError), store.read(f"run/f{number:04d}.tif") as reader:
                    assert b"".join(map(bytes, reader.chunks())) != CANARY
                    read += 1
            with suppress(StoreError):
                assert len([found for found in store.list() if isinstance(found, Entry)]) in {0, 3}
            store.close()
    assert read


def test_no_write_goes_through_a_folder_that_is_swapped(lab: Lab, outside: Path) -> None:
    lab.acquire(1)
    before = sorted(os.listdir(outside))
    written = 0
    with meanwhile(swapping(lab.source / "run", outside)):
        for number in range(300):
            store = open_store(Place("here", str(lab.source)))
            with suppress(StoreError):
                deliver(store, f"run/new{number}", lambda: [b"x"], "a" * 8)
                written += 1
            store.close()
    assert written
    assert sorted(os.listdir(outside)) == before


def attempt(lab: Lab, *, accept_changes: bool = False) -> None:
    """A run that may find no way through; it must say so, or do as it says."""
    try:
        lab.run(accept_changes=accept_changes)
    except ColdchainError:
        return


# --- names ------------------------------------------------------------------------------------------------------------

ORDERS = [
    b"-rf",
    b"--delete",
    b"--rsync-path=touch pwned",
    b"-e touch pwned",
    b"host:file",
    b":memory:",
    b"$(touch pwned)",
    b"`touch pwned`",
    b"a;touch pwned",
    b"a|touch pwned",
    b"%s%n",
    b'=HYPERLINK("http://evil.example")',
    b"=cmd|' /C calc'!A0",
    b"@SUM(1+1)",
    b"\r\nSubject: forged\r\n\r\n",
    b"\x1b]0;owned\x07\x1b[2J",
    b"<script>alert(1)</script>",
    b"{{ 7 * 7 }}",
    b"${HOME}",
    b"~root",
    b"\xff\xfe",
]


def fill(lab: Lab) -> None:
    folder = os.fsencode(lab.source) + b"/--delete -rf"
    os.mkdir(folder)
    for number, name in enumerate(ORDERS):
        Path(os.fsdecode(folder + b"/" + name.replace(b"/", b"_"))).write_bytes(b"%d" % number)


def test_a_name_is_an_order_to_nobody(lab: Lab) -> None:
    """Neither to a shell, nor to rsync that counts again, nor to whatever reads an output."""
    fill(lab)
    assert lab.ready().code == 0
    name = "--delete -rf"
    back = lab.folder / "back"
    for words in (
        ("run",), ("check",), ("list", "--long"), ("report", "1"), ("rebuild",),
        ("restore", "--to", str(back), "--", "lab", name), ("why", "--", f"{name}/-rf"), ("run", f"--dataset={name}"),
        ("fleet", str(lab.nas)), ("report", "1", "page.html", "--html"),
    ):  # fmt: skip
        done = lab.cli(*words)
        assert done.code in {0, 6}, (words, done.said)
        assert not {"\x1b", "\x07", "\r"} & set(done.said), words
        assert "bug in coldchain" not in done.said
        assert not any(line.startswith("Subject:") for line in done.said.splitlines())
    assert data(back) == data(lab.source) == data(lab.nas)
    asked, answered = Place("", str(lab.source / name)), Place("", str(lab.nas / name))
    assert would_carry(asked, answered, lambda _: True) == Opinion("rsync --dry-run", 0)
    assert would_carry(asked, Place("", str(lab.nas)), lambda _: True) == Opinion("rsync --dry-run", len(ORDERS))
    for place in (lab.folder, lab.source, lab.nas, Path.cwd()):
        assert not (place / "pwned").exists()


def test_a_formula_begins_no_field_of_what_is_logged_or_told_as_metrics(lab: Lab) -> None:
    """No output is CSV; a spreadsheet that opens a log all the same finds no cell that it would run."""
    fill(lab)
    lab.ready()
    for text in ((lab.state / "logs/lab.log").read_text("utf-8"), lab.cli("metrics").out):
        assert not [line for line in text.splitlines() if line[:1] in {"=", "+", "-", "@", "\t"}]


# --- modes ------------------------------------------------------------------------------------------------------------


def modes(folder: Path) -> dict[str, int]:
    return {
        file.relative_to(folder).as_posix(): stat.S_IMODE(file.lstat().st_mode)
        for file in [folder, *sorted(folder.rglob("*"))]
    }


@pytest.mark.parametrize("first", ["run", "start"])
def test_nobody_else_enters_the_folder_of_the_state_however_loose_the_umask(lab: Lab, first: str) -> None:
    lab.acquire(1)
    before = os.umask(0)
    try:
        lab.cli(first, *(("--init",) if first == "run" else ("lab",)))
        lab.cli("init", "lab")
        lab.cli("run")
        lab.cli("stop")
    finally:
        os.umask(before)
    found = modes(lab.state)
    assert found["."] == 0o700
    assert found["ledger.sqlite"] == 0o600
    locks = {name: mode for name, mode in found.items() if name.endswith(".lock")}
    assert locks
    assert set(locks.values()) == {0o600}
    for name in ("agents", "locks", "logs"):
        assert found.get(name, 0o700) == 0o700
    unfinished = [name for name in modes(lab.nas) if name.endswith(".coldchain") and name != ".coldchain"]
    assert unfinished == []


def test_a_copy_is_readable_by_others_only_if_the_original_is_and_is_never_set_uid(lab: Lab) -> None:
    for name, mode in (("private", 0o600), ("open", 0o644), ("setuid", 0o6755)):
        lab.write(f"run/{name}", name.encode()).chmod(mode)
    lab.ready()
    found = {name: stat.S_IMODE((lab.nas / "run" / name).stat().st_mode) for name in ("private", "open", "setuid")}
    assert found == {"private": 0o600, "open": 0o644, "setuid": 0o755}


def test_an_unfinished_file_is_its_owners_alone_and_made_anew_under_a_name_that_nobody_guesses(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = open_store(Place("here", str(tmp_path)))
        staging = store.stage("a" * 8)
        sinks = [staging.open("run/file", Entry("run/file", 1, 0, mode=0o644)) for _ in range(20)]
        found = list((tmp_path / "run").iterdir())
        assert len(found) == 20
        for file in found:
            assert len(file.name.removesuffix(".coldchain")) > 16
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        for sink in sinks:
            sink.abort()
        store.close()
        (tmp_path / "planted").symlink_to(tmp_path / "elsewhere")
        root = PosixRoot(str(tmp_path))
        with pytest.raises(FileExistsError):
            root.create("planted")
        root.close()
        assert not (tmp_path / "elsewhere").exists()
    finally:
        os.umask(before)
