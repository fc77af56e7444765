"""P3: nothing half-written is ever visible under its final name."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from coldchain.config.values import Job
from tests.promises.lab import Hook, Lab, data, leftovers, names

SIZE = 48 << 20


class Watcher:
    """Looks at one name again and again, and remembers every size under which it was seen."""

    def __init__(self, file: Path) -> None:
        self._file, self.sizes, self.looks = file, set[int](), 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def _watch(self) -> None:
        while not self._over.is_set():
            self.look()
            time.sleep(0.0005)

    def look(self) -> None:
        self.looks += 1
        try:
            self.sizes.add(self._file.stat().st_size)
        except FileNotFoundError:
            self.sizes.add(-1)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.look()


def test_a_large_file_appears_in_one_piece(lab: Lab) -> None:
    lab.write("run/big", os.urandom(SIZE))
    with Watcher(lab.nas / "run/big") as seen:
        report = lab.run(monitor=Hook(seen.look, times=1 << 30))
    assert report.exit_code == 0
    assert seen.sizes == {-1, SIZE}
    assert seen.looks > 40


def test_a_newer_version_takes_the_place_of_the_older_one_in_one_piece(lab: Lab) -> None:
    lab.write("run/big", b"old")
    lab.run()
    lab.write("run/big", os.urandom(SIZE))
    with Watcher(lab.nas / "run/big") as seen:
        report = lab.run(monitor=Hook(seen.look, times=1 << 30))
    assert report.exit_code == 0
    assert seen.sizes == {3, SIZE}


def until_begun(root: Path, size_bytes: int) -> None:
    """Wait until a temporary file has so many bytes."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for name in leftovers(root):
            try:
                if (root / name).stat().st_size >= size_bytes:
                    return
            except FileNotFoundError:
                continue
    raise AssertionError(f"nothing was begun: {names(root)}")


def test_a_kill_in_the_middle_leaves_no_half_file_under_its_name(lab: Lab) -> None:
    lab.write("run/big", os.urandom(4 * SIZE))
    lab.write("run/small", b"small")
    with lab.started("run", "--init") as process:
        until_begun(lab.nas, SIZE // 16)
        process.kill()
        process.wait()
    assert not (lab.nas / "run/big").exists()
    assert leftovers(lab.nas)
    done = lab.cli("run", "--init")
    assert done.code == 0, done.said
    assert data(lab.nas) == data(lab.source)
    assert not leftovers(lab.nas)


def test_a_killed_restore_leaves_no_half_file_under_its_name(lab: Lab, tmp_path: Path) -> None:
    lab.write("run/big", os.urandom(4 * SIZE))
    lab.ready()
    back = tmp_path / "back"
    with lab.started("restore", "lab", "run", "--to", str(back)) as process:
        until_begun(back, SIZE // 16)
        process.kill()
        process.wait()
    assert not (back / "run/big").exists()
    done = lab.cli("restore", "lab", "run", "--to", str(back))
    assert done.code == 0, done.said
    assert data(back) == data(lab.source)
    assert names(back) == ["run/big"]


def test_a_file_that_is_cut_short_while_it_is_read_leaves_nothing_of_itself(lab: Lab) -> None:
    job: Job = lab.job()
    lab.write("run/big", os.urandom(3 << 20))

    def vanish() -> None:
        (lab.source / "run/big").write_bytes(b"cut")

    report = lab.run(job, monitor=Hook(vanish, times=1 << 30))
    assert report.exit_code in {0, 3}
    assert data(lab.nas) in ({}, {"run/big": b"cut"})
    assert not leftovers(lab.nas)
