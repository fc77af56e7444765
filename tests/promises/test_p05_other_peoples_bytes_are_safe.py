"""P5: what already stands at a destination is never overwritten unasked."""

from __future__ import annotations

import os

import pytest

from coldchain.config.values import OnChange
from tests.promises.lab import Hook, Lab, data, names, reasons, stamps, states


def manifest(lab: Lab) -> dict[str, str]:
    """Key to digest, as sha256sum reads it."""
    text = (lab.nas / ".coldchain/manifests/lab/run.sha256").read_text()
    return {line[66:]: line[:64] for line in text.splitlines()}


def test_a_different_file_that_stands_there_is_a_conflict_and_is_left_untouched(lab: Lab) -> None:
    lab.write("run/x", b"mine")
    lab.write("run/y", b"mine too")
    (lab.nas / "run").mkdir()
    theirs = lab.nas / "run/x"
    theirs.write_bytes(b"theirs")
    before = stamps(lab.nas)
    for _ in range(2):
        done = lab.cli("run", "--init")
        assert done.code == 3, done.said
        assert "run/x" in done.out
        assert theirs.read_bytes() == b"theirs"
        assert stamps(lab.nas)["run/x"] == before["run/x"]
    assert (lab.nas / "run/y").read_bytes() == b"mine too"
    assert "run/x" not in lab.records()


def test_a_file_that_appears_there_while_the_run_goes_on_is_left_alone_too(lab: Lab) -> None:
    lab.write("run/x", os.urandom(3 << 20))
    (lab.nas / "run").mkdir()
    report = lab.run(monitor=Hook(lambda: (lab.nas / "run/x").write_bytes(b"theirs")))
    assert (report.exit_code, states(report)) == (3, {"refused": 1})
    assert data(lab.nas) == {"run/x": b"theirs"}


def test_equal_bytes_are_adopted_without_writing(lab: Lab) -> None:
    lab.acquire(5)
    (lab.nas / "run").mkdir()
    for name, content in data(lab.source).items():
        (lab.nas / name).write_bytes(content)
    before = stamps(lab.nas)
    report = lab.run()
    assert (report.exit_code, states(report)) == (0, {"verified": 5})
    assert stamps(lab.nas) == before


@pytest.mark.parametrize("what", ["folder", "link"])
def test_what_is_no_file_is_neither_followed_nor_replaced(lab: Lab, what: str) -> None:
    lab.write("run/x", b"mine")
    (lab.nas / "run").mkdir()
    elsewhere = lab.folder / "elsewhere"
    elsewhere.write_bytes(b"theirs")
    if what == "folder":
        (lab.nas / "run/x").mkdir()
        (lab.nas / "run/x/inner").write_bytes(b"theirs")
    else:
        (lab.nas / "run/x").symlink_to(elsewhere)
    report = lab.run()
    assert report.exit_code == 3
    assert (lab.nas / "run/x").is_dir() == (what == "folder")
    assert (lab.nas / "run/x").is_symlink() == (what == "link")
    assert elsewhere.read_bytes() == b"theirs"


def test_replace_puts_the_newer_version_in_place_of_what_coldchain_stored(lab: Lab) -> None:
    lab.write("run/x.tif", b"first")
    lab.run()
    old = manifest(lab)
    lab.write("run/x.tif", b"second")
    report = lab.run()
    assert report.exit_code == 0
    assert data(lab.nas) == {"run/x.tif": b"second"}
    assert manifest(lab).keys() == old.keys()
    assert manifest(lab) != old


def test_keep_both_keeps_every_version_and_lists_them_all(lab: Lab) -> None:
    job = lab.job(on_change=OnChange.KEEP_BOTH)
    for content in (b"first", b"second", b"third"):
        lab.write("run/x.tif", content)
        assert lab.run(job).exit_code == 0
    assert data(lab.nas) == {"run/x.tif": b"first", "run/x~v2.tif": b"second", "run/x~v3.tif": b"third"}
    assert manifest(lab).keys() == {"run/x.tif", "run/x~v2.tif", "run/x~v3.tif"}
    before = stamps(lab.nas)
    again = lab.run(job)
    assert (again.exit_code, stamps(lab.nas)) == (0, before)
    assert [key for key, record in lab.records().items() if not record.superseded] == ["run/x~v3.tif"]


def test_refuse_leaves_the_stored_version_and_says_so(lab: Lab) -> None:
    job = lab.job(on_change=OnChange.REFUSE)
    lab.write("run/x.tif", b"first")
    lab.run(job)
    lab.write("run/x.tif", b"second")
    report = lab.run(job)
    assert (report.exit_code, states(report)) == (3, {"refused": 1})
    assert "changed at the source" in reasons(report)["run/x.tif"]
    assert data(lab.nas) == {"run/x.tif": b"first"}


@pytest.mark.parametrize("put_back", [False, True])
def test_an_edited_copy_is_never_overwritten_by_a_newer_version(lab: Lab, put_back: bool) -> None:
    """With ``put_back`` the edit kept size and mtime: only its bytes tell."""
    file = lab.write("run/x.tif", b"first")
    lab.run()
    copy = lab.nas / "run/x.tif"
    status = copy.stat()
    copy.write_bytes(b"thirs")
    if put_back:
        os.utime(copy, ns=(status.st_atime_ns, status.st_mtime_ns))
    file.write_bytes(b"second")
    for _ in range(2):
        report = lab.run()
        assert report.exit_code in {3, 4}
        assert copy.read_bytes() == b"thirs"
        assert names(lab.nas / "run") == ["x.tif"]


def test_a_touched_source_with_the_old_bytes_writes_nothing(lab: Lab) -> None:
    file = lab.write("run/x.tif", b"first")
    lab.run()
    before = stamps(lab.nas)
    file.chmod(0o600)
    report = lab.run()
    assert report.exit_code == 0
    assert stamps(lab.nas) == before
    assert lab.run().datasets[-1].lots["nas"].sent.files == 0


def test_two_jobs_never_take_each_others_files(lab: Lab) -> None:
    lab.write("run/x", b"mine")
    lab.ready()
    lab.write("run/x", b"theirs")
    lab.configure(name="other")
    done = lab.cli("run", "other", "--init")
    assert done.code == 3, done.said
    assert (lab.nas / "run/x").read_bytes() == b"mine"
