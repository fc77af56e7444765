"""P4: no record says "verified" before the bytes and their name would survive a power cut."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from coldchain.config.values import OnChange
from tests.promises.lab import Lab, data
from tests.promises.tracing import FLUSHING, Call, needs_strace, traced
from tests.stores.local.carrying import Mounts, needs_root

CALLS = f"write,pwrite64,writev,pwritev,rename,renameat,renameat2,copy_file_range,ftruncate,{FLUSHING}"
WRITES = {"write", "pwrite64", "writev", "pwritev", "copy_file_range", "ftruncate"}
SHOWN = 9000  # two pages of the ledger
_RENAME = re.compile(r'\d+<([^>]*)>, "([^"]*)", \d+<([^>]*)>, "([^"]*)"')
_FD = re.compile(r"\d+<([^>]*)>")


def file_of(call: Call) -> str:
    matched = _FD.match(call.arguments)
    return matched[1] if matched else ""


def flushed_between(calls: list[Call], begin: int, end: int, root: Path, file: str) -> bool:
    """Whether a whole flush, of the file or of everything, lies between two lines."""
    return any(
        begin < call.begun and call.ended < end and call.result == 0
        for call in calls
        if (call.name == "syncfs" and file_of(call).startswith(str(root)))
        or (call.name in {"fsync", "fdatasync"} and file_of(call) == file)
    )


def check_order(lab: Lab, calls: list[Call], root: Path, files: set[str], *, known: bool = False) -> None:
    """``known``: the ledger holds the name already, so a page with it may be written at any time."""
    renames = {}
    for call in calls:
        if call.name.startswith("rename") and call.result == 0 and (matched := _RENAME.match(call.arguments)):
            renames[f"{matched[3]}/{matched[4]}"] = (call, f"{matched[1]}/{matched[2]}")
    wal = str(lab.ledger_file) + "-wal"
    for file in files:
        final = f"{root}/{file}"
        assert final in renames, f"{file} did not get its name by a rename"
        rename, temporary = renames[final]
        writes = [call for call in calls if call.name in WRITES and file_of(call) == temporary]
        assert writes
        last = max(call.ended for call in writes)
        assert last < rename.begun
        assert flushed_between(calls, last, rename.begun, root, temporary), f"{file} was named before it was flushed"
        records = [c for c in calls if c.name in WRITES and file_of(c) == wal and file in c.arguments]
        records = [c for c in records if not known or c.begun > rename.begun]
        assert records, f"{file} was never recorded"
        first = min(call.begun for call in records)
        folder = final.rpartition("/")[0]
        assert flushed_between(calls, rename.ended, first, root, folder), f"{file} was recorded before its name was"
        assert any(
            c.name in {"fsync", "fdatasync"} and file_of(c) == wal and c.begun > max(r.ended for r in records)
            for c in calls
        ), f"the record of {file} itself was never made durable"


@needs_strace
def test_bytes_before_names_and_names_before_records(two: Lab) -> None:
    two.acquire(12)
    two.write("run/large.bin", os.urandom(33 << 20))
    done, calls = traced(two, "run", "--init", calls=CALLS, shown=SHOWN)
    assert done.code == 0, done.said
    for root in two.roots.values():
        check_order(two, calls, root, set(data(two.source)))


@needs_strace
def test_what_is_about_to_get_a_name_is_noted_durably_before_that(lab: Lab) -> None:
    """Else a power cut between the two makes a stranger of our own copy (P11)."""
    lab.acquire(4)
    files = set(data(lab.source))
    done, calls = traced(lab, "run", "--init", calls=CALLS, shown=SHOWN)
    assert done.code == 0, done.said
    notes = [call for call in calls if call.name in WRITES and "/begun/" in file_of(call)]
    assert {file for file in files if any(file in call.arguments for call in notes)} == files
    (note,) = {file_of(call) for call in notes}
    renames = [
        c for c in calls if c.name.startswith("rename") and any(f'"{Path(f).name}"' in c.arguments for f in files)
    ]
    assert len(renames) == len(files)
    written, named = max(call.ended for call in notes), min(call.begun for call in renames)
    flushed = {
        file_of(c) for c in calls if c.name == "fsync" and written < c.begun and c.ended < named and c.result == 0
    }
    assert {note, str(Path(note).parent)} <= flushed
    above = str(Path(note).parent.parent)
    assert any(c.name == "fsync" and file_of(c) == above and c.ended < named for c in calls), "the folder's own name"


@needs_strace
@pytest.mark.parametrize("on_change", list(OnChange)[:2])
def test_a_newer_version_is_durable_before_it_is_recorded(lab: Lab, on_change: OnChange) -> None:
    lab.configure({"on_change": on_change.value})
    lab.write("run/x.tif", b"old")
    lab.ready()
    lab.write("run/x.tif", b"newer")
    done, calls = traced(lab, "run", calls=CALLS, shown=SHOWN)
    assert done.code == 0, done.said
    check_order(lab, calls, lab.nas, {"run/x.tif" if on_change is OnChange.REPLACE else "run/x~v2.tif"}, known=True)


@needs_strace
def test_an_adopted_copy_is_flushed_before_it_is_recorded(lab: Lab) -> None:
    lab.write("run/x.tif", b"same")
    (lab.nas / "run").mkdir()
    (lab.nas / "run/x.tif").write_bytes(b"same")
    done, calls = traced(lab, "run", "--init", calls=CALLS, shown=SHOWN)
    assert done.code == 0, done.said
    wal = str(lab.ledger_file) + "-wal"
    first = min(c.begun for c in calls if c.name in WRITES and file_of(c) == wal and "run/x.tif" in c.arguments)
    marked = max(c.ended for c in calls if c.name.startswith("rename") and "destination.json" in c.arguments)
    begun = next(c.ended for c in calls if c.begun > marked and c.name == "syncfs")  # that of the mark itself
    assert flushed_between(calls, begun, first, lab.nas, f"{lab.nas}/run/x.tif")


@needs_root
@needs_strace
def test_where_syncfs_cannot_be_trusted_every_file_is_flushed_by_itself(lab: Lab, mounts: Mounts) -> None:
    place = mounts.fuse({}).place
    lab.roots["nas"] = place
    lab.configure()
    lab.acquire(3)
    done, calls = traced(lab, "run", "--init", calls=CALLS, shown=SHOWN)
    assert done.code == 0, done.said
    assert not [call for call in calls if call.name == "syncfs"]
    check_order(lab, calls, place, set(data(lab.source)))
