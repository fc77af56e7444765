"""P6: a file that vanished at the source stays where it was stored."""

from __future__ import annotations

import shutil

from tests.promises.lab import Lab, data, stamps


def test_what_vanished_at_the_source_stays_and_is_said(lab: Lab) -> None:
    lab.acquire(6)
    lab.acquire(3, folder="other", seed=2)
    lab.ready()
    before, records = stamps(lab.nas), lab.records()
    (lab.source / "run/f0002.tif").unlink()
    shutil.rmtree(lab.source / "other")
    lab.write("run/new.tif", b"new")
    done = lab.cli("run")
    assert done.code == 0, done.said
    assert "kept       1 file at the destinations" in done.out
    after = stamps(lab.nas)
    assert {name: after[name] for name in before} == before
    assert lab.records().keys() == records.keys() | {"run/new.tif"}
    sums = (lab.nas / ".coldchain/manifests/lab/run.sha256").read_text()
    assert "run/f0002.tif" in sums


def test_a_renamed_file_leaves_its_old_copy(lab: Lab) -> None:
    file = lab.write("run/a", b"content")
    lab.ready()
    file.rename(lab.source / "run/b")
    assert lab.cli("run").code == 0
    assert data(lab.nas) == {"run/a": b"content", "run/b": b"content"}
    report = lab.cli("run", "--json").lines[-1]
    assert [d["gone_from_source"] for d in report["datasets"] if d["dataset"] == "run"] == [1]


def test_a_file_that_is_excluded_from_now_on_stays(lab: Lab) -> None:
    lab.acquire(3)
    lab.ready()
    lab.configure({"exclude": ["f0001.tif"]})
    assert lab.cli("run").code == 0
    assert (lab.nas / "run/f0001.tif").exists()
