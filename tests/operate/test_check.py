"""When stored copies are proved again: is each one looked at, said, written down and mended, as it is?"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from coldchain.config.values import OnChange
from coldchain.ledger.columns import microseconds
from coldchain.ledger.manifest import quote_dataset
from coldchain.ledger.manifest_fields import stamped
from coldchain.model import DISPROVED, Place, ProofKind, Record
from coldchain.monitor import SilentMonitor
from coldchain.operate.check import CheckReport, Extent, check_job
from coldchain.operate.opening import Wish
from coldchain.steps.check import CheckBatch, check_batch
from tests.faults.world import World
from tests.stores.local.carrying import Mounts, needs_root, run
from tests.stores.local.conftest import mounts

__all__ = ["mounts"]

WHOLE = quote_dataset(".")
CONTENTS = {"run/a": b"a" * 10, "run/b": b"b" * 20, "run/c": b"c" * 30}


class Listener(SilentMonitor):
    """Remembers what it was told; with ``stops`` it asks to stop once so many bytes were read."""

    def __init__(self, stops: int | None = None) -> None:
        self.notes: list[str] = []
        self.files = 0
        self.left = stops

    @property
    def stopping(self) -> bool:  # type: ignore[override]
        return self.left is not None and self.left <= 0

    def moved(self, size_bytes: int) -> None:
        if self.left is not None:
            self.left -= size_bytes

    def finished(self, files: int) -> None:
        self.files += files

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


def stored(folder: Path, *destinations: str) -> World:
    """A day ago three files were stored."""
    world = World(folder, destinations or ("nas",))
    for path, content in CONTENTS.items():
        world.write(path, content)
    assert world.run().code == 0
    world.later(days=1)
    world.monitor = Listener()
    return world


@pytest.fixture
def one(tmp_path: Path) -> World:
    return stored(tmp_path)


@pytest.fixture
def two(tmp_path: Path) -> World:
    return stored(tmp_path, "nas", "tape")


def check(world: World, **extent: object) -> CheckReport:
    with world.ledger() as ledger:
        return check_job(world.job, ledger, Extent(**extent), Wish(command="check"), world.around())  # type: ignore[arg-type]


def spoil(world: World, path: str, destination: str = "nas") -> Path:
    """Another content of the same size, at the same time: what only reading finds."""
    file = world.at[destination] / path
    file.write_bytes(bytes(len(CONTENTS[path])))
    return file


def records(world: World, destination: str = "nas") -> dict[str, Record]:
    with world.ledger() as ledger:
        found = [ledger.all_records("j", destination, dataset) for dataset in ledger.datasets("j")]
        return {record.key: record for some in found for record in some}


def events(world: World, kind: str) -> list[dict[str, object]]:
    with world.ledger() as ledger:
        return [dict(event.detail) for event in ledger.events() if event.kind == kind]


def counted(report: CheckReport) -> tuple[int, int, int, int, int]:
    return report.good.files, report.bad, report.mended, report.unreadable, report.exit_code


def test_good_copies_are_proved_anew_and_nothing_else_is_said(one: World) -> None:
    report = check(one)
    assert counted(report) == (3, 0, 0, 0, 0)
    assert report.good.size_bytes == 60
    assert {record.proof_how for record in records(one).values()} <= {"direct", "evicted"}, "past the cache"
    assert report.shown == []
    for record in records(one).values():
        assert record.proved_at_us == microseconds(one.now)
        assert record.proof_kind is ProofKind.READBACK
        assert record.stored_at_us < record.proved_at_us
    assert isinstance(one.monitor, Listener)
    assert (one.monitor.files, one.monitor.notes) == (3, [])
    with one.ledger() as ledger:
        row = ledger.runs("j", 1)[0]
        assert (row.command, row.id) == ("check", report.run)
        assert row.ended is not None


def test_every_destination_is_checked(two: World) -> None:
    spoil(two, "run/b", "tape")
    report = check(two)
    assert counted(report) == (5, 1, 0, 0, 4)
    assert [(name, finding.record.key, done) for name, finding, done in report.shown] == [("tape", "run/b", "")]


def test_a_wrong_and_a_lost_copy_are_said_written_down_and_proved_no_more(one: World) -> None:
    spoil(one, "run/a")
    (one.at["nas"] / "run/c").unlink()
    report = check(one)
    assert counted(report) == (1, 2, 0, 0, 4)
    assert [(f.record.path, f.state, done) for _, f, done in report.shown] == [
        ("run/a", "corrupt", ""), ("run/c", "lost", "")
    ]  # fmt: skip
    found = records(one)
    assert {key for key, record in found.items() if record.proof_how == DISPROVED} == {"run/a", "run/c"}
    assert found["run/a"].proof_kind is ProofKind.SIZE
    [corrupt], [lost] = events(one, "found-corrupt"), events(one, "found-lost")
    assert (corrupt["destination"], corrupt["key"]) == ("nas", "run/a")
    assert (lost["destination"], lost["key"]) == ("nas", "run/c")
    assert {path for path, _ in one.to_send()} == {"run/a", "run/c"}, "the next run sends them"
    said = report.as_json()
    assert (said["format"], said["version"]) == ("coldchain-check", 1)
    assert (said["bad"], said["mended"], said["exit_code"]) == (2, 0, 4)
    assert [finding["path"] for finding in said["findings"]] == ["run/a", "run/c"]  # type: ignore[attr-defined]


def test_a_link_or_a_folder_in_its_place_is_no_copy(one: World) -> None:
    for path in ("run/a", "run/b"):
        (one.at["nas"] / path).unlink()
    (one.at["nas"] / "run/a").symlink_to("c")
    (one.at["nas"] / "run/b").mkdir()
    report = check(one)
    assert counted(report) == (1, 2, 0, 0, 4)
    assert [finding.state for _, finding, _ in report.shown] == ["lost", "lost"]


def test_no_copy_at_all_is_no_success(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.write("x", b"x")
    world.run()
    assert check(world, dataset="another").exit_code == 6


def test_only_the_dataset_that_was_asked_for_is_checked(one: World) -> None:
    with one.ledger() as ledger:
        [dataset] = ledger.datasets("j")
    assert check(one, dataset=dataset).good.files == 3
    assert check(one, dataset=f"{dataset}2").good.files == 0


def test_a_share_of_nothing_is_nothing_and_the_whole_is_all(one: World) -> None:
    assert check(one, share=0.0).good.files == 0
    assert check(one, share=1.0).good.files == 3


def test_proofs_that_are_too_old_are_due_and_young_ones_are_not(one: World) -> None:
    assert check(one, within=timedelta(days=2)).good.files == 0, "a day old, and no check before: none is due"
    one.later(days=1.5)
    assert check(one, within=timedelta(days=2)).good.files == 3
    assert check(one, within=timedelta(days=2)).good.files == 0


def test_what_is_due_is_a_share_of_what_lies_at_that_destination(two: World) -> None:
    check(two)
    with two.ledger() as ledger:
        [dataset] = ledger.datasets("j")
        [some] = [record for record in ledger.stored("j", "tape", dataset) if record.path == "run/a"]
        invented = [some._replace(path=f"x{number}", key=f"x{number}") for number in range(9)]
        ledger.rebuild(1, "j", dataset, "tape", invented, two.now)
    two.later(days=1)
    report = check(two, within=timedelta(days=3))
    assert counted(report)[:2] == (4, 1), "a third of 3 copies at one place, of 12 at the other, of which one is lost"


def test_an_interrupted_check_says_so(one: World) -> None:
    one.monitor = Listener(stops=1)
    report = check(one)
    assert report.exit_code == 130
    assert report.good.files < 3


# --- mending ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["corrupt", "lost"])
def test_a_copy_is_mended_from_the_source(one: World, damage: str) -> None:
    before = records(one)["run/a"]
    wrong = spoil(one, "run/a")
    if damage == "lost":
        wrong.unlink()
    report = check(one, repair=True)
    assert counted(report) == (2, 1, 1, 0, 0)
    assert [done for _, _, done in report.shown] == ["mended from the source"]
    assert wrong.read_bytes() == CONTENTS["run/a"]
    after = records(one)["run/a"]
    assert after.proof_kind is ProofKind.READBACK
    assert after.proved_at_us == microseconds(one.now)
    assert after.digest == before.digest
    assert (after.source_mtime_ns, after.source_inode) == (before.source_mtime_ns, before.source_inode)
    assert not one.to_send()
    aside = sorted((one.at["nas"] / ".coldchain/set-aside").rglob("a"))
    assert [file.read_bytes() for file in aside] == ([bytes(10)] if damage == "corrupt" else [])
    assert not events(one, f"found-{damage}")
    one.verify_manifests()
    [manifest] = (one.at["nas"] / ".coldchain/manifests").rglob("*.json")
    [line] = [line for line in manifest.read_text().splitlines() if '"path":"run/a"' in line]
    assert f'"proved":"{stamped(one.now)}"' in line, "the manifest tells of it"


def test_a_copy_is_mended_from_another_destination_when_the_source_is_gone(two: World) -> None:
    (two.source / "run/a").unlink()
    wrong = spoil(two, "run/a")
    report = check(two, repair=True)
    assert counted(report) == (5, 1, 1, 0, 0)
    assert [done for _, _, done in report.shown] == ["mended from tape"]
    assert wrong.read_bytes() == CONTENTS["run/a"]


def test_a_source_that_changed_mends_nothing_and_another_destination_does(two: World) -> None:
    two.write("run/a", b"another content")
    wrong = spoil(two, "run/a")
    report = check(two, repair=True)
    assert [done for _, _, done in report.shown] == ["mended from tape"]
    assert wrong.read_bytes() == CONTENTS["run/a"]
    assert isinstance(two.monitor, Listener)
    assert any("could not be mended from the source" in note for note in two.monitor.notes)


def test_p05_what_cannot_be_set_aside_is_not_written_over(one: World) -> None:
    wrong = spoil(one, "run/a")
    (one.at["nas"] / ".coldchain/set-aside").write_bytes(b"a file, where a folder would be needed")
    report = check(one, repair=True)
    assert counted(report) == (2, 1, 0, 0, 4)
    assert wrong.read_bytes() == bytes(10)
    assert isinstance(one.monitor, Listener)
    assert any("run/a could not be set aside" in note for note in one.monitor.notes)


def test_an_origin_that_is_gone_as_well_ends_no_check(two: World) -> None:
    (two.source / "run/a").unlink()
    spoil(two, "run/a")
    (two.at["tape"] / "run/a").unlink()
    assert counted(check(two, repair=True)) == (4, 2, 0, 0, 4)


def test_where_no_file_of_ours_is_borne_a_repair_leaves_none(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.configure(nas="marker = false")
    world.write("run/a", CONTENTS["run/a"])
    assert world.run().code == 0
    (world.at["nas"] / "run/a").unlink()
    assert counted(check(world, repair=True)) == (0, 1, 1, 0, 0)
    assert [str(file.relative_to(world.at["nas"])) for file in world.at["nas"].rglob("*")] == ["run", "run/a"]


def test_what_nobody_has_whole_stays_wrong_is_kept_and_is_said(two: World) -> None:
    (two.source / "run/a").unlink()
    for name in ("nas", "tape"):
        spoil(two, "run/a", name)
    report = check(two, repair=True)
    assert counted(report)[1:] == (2, 0, 0, 4)
    assert [done for _, _, done in report.shown] == ["", ""]
    for name in ("nas", "tape"):
        assert records(two, name)["run/a"].proof_how == DISPROVED
        assert (two.at[name] / "run/a").read_bytes() == bytes(10), "what stands there is left"


def test_an_older_version_is_mended_from_its_own_copy_and_never_from_the_newer_source(tmp_path: Path) -> None:
    world = stored(tmp_path, "nas", "tape")
    world.configure(f'on_change = "{OnChange.KEEP_BOTH.value}"')
    world.write("run/a", b"second version")
    assert world.run().code == 0
    assert (world.at["nas"] / "run/a~v2").read_bytes() == b"second version"
    wrong = spoil(world, "run/a")
    report = check(world, repair=True)
    assert [done for _, _, done in report.shown] == ["mended from tape"]
    assert wrong.read_bytes() == CONTENTS["run/a"]
    [older] = [record for key, record in records(world).items() if key == "run/a"]
    assert older.digest != records(world)["run/a~v2"].digest


class Unplugging(Listener):
    """Does something once the first copy was read."""

    def __init__(self, deed: Callable[[], object]) -> None:
        super().__init__()
        self._deed: Callable[[], object] | None = deed

    def moved(self, size_bytes: int) -> None:
        if self._deed is not None:
            deed, self._deed = self._deed, None
            deed()


def test_p10_a_place_that_goes_away_during_a_check_has_lost_nothing(one: World) -> None:
    before, place = records(one), one.at["nas"]
    away = place.with_name("away")
    one.monitor = Unplugging(lambda: place.rename(away))
    report = check(one)
    assert counted(report) == (0, 0, 0, 3, 3)
    assert {finding.reason for _, finding, _ in report.shown} == {"unreadable: the place is no longer there"}
    assert records(one) == before, "nothing is disproved, and nothing proved anew"
    assert not events(one, "found-lost")
    away.rename(place)
    one.monitor = Listener()
    assert counted(check(one)) == (3, 0, 0, 0, 0)


@needs_root
def test_p10_nor_has_a_disk_that_is_unmounted_and_leaves_an_empty_folder(tmp_path: Path, mounts: Mounts) -> None:
    image = mounts.image("mkfs.ext4", "-q")
    disk = mounts.ext4(image)
    world = World(tmp_path, at={"nas": disk})
    for path, content in CONTENTS.items():
        world.write(path, content)
    assert world.run().code == 0
    before = records(world)
    world.monitor = Unplugging(lambda: run("umount", "-l", disk))
    report = check(world, repair=True)
    assert counted(report) == (0, 0, 0, 3, 3)
    assert "another volume" in report.shown[0][1].reason
    assert records(world) == before
    assert list(disk.iterdir()) == [], "nor is it mended below an empty mount point"
    run("mount", "-o", "loop", image, disk)
    world.monitor = Listener()
    assert counted(check(world)) == (3, 0, 0, 0, 0)


def test_p10_a_batch_that_begins_when_the_place_is_gone_has_lost_nothing(one: World) -> None:
    copies = tuple(("run", record) for record in records(one).values())
    place = Place("nas", str(one.at["nas"] / "gone"))
    findings = check_batch(CheckBatch(place, copies, "the volume that it was"))
    assert {finding.state for finding in findings} == {"unreadable"}
    assert {finding.state for finding in check_batch(CheckBatch(place, copies))} == {"lost"}, "nobody said which one"


# --- manifests --------------------------------------------------------------------------------------------------------


def manifest(world: World, ending: str, destination: str = "nas") -> Path:
    return world.at[destination] / f".coldchain/manifests/j/{WHOLE}.{ending}"


def flip(file: Path) -> bytes:
    """Rot one bit in the middle; returns what was there."""
    content = file.read_bytes()
    middle = len(content) // 2
    file.write_bytes(content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :])
    return content


def test_p08_good_manifests_are_read_and_nothing_is_said_of_them(two: World) -> None:
    report = check(two)
    assert (dict(report.manifests), report.shown_manifests, report.exit_code) == ({"good": 4}, [], 0)


@pytest.mark.parametrize(("ending", "beside"), [("json", 0), ("sha256", 1)])
def test_p08_a_manifest_that_rots_is_found_and_written_anew(one: World, ending: str, beside: int) -> None:
    whole = {file: file.read_bytes() for file in (manifest(one, "json"), manifest(one, "sha256"))}
    flip(manifest(one, ending))
    report = check(one)
    assert (report.manifests["corrupt"], report.manifests["good"], report.exit_code) == (1, beside, 4)
    [(destination, found, done)] = report.shown_manifests
    assert (destination, found.state, done) == ("nas", "corrupt", "")
    assert found.key == manifest(one, ending).relative_to(one.at["nas"]).as_posix()
    [event] = events(one, "manifest-corrupt")
    assert (event["destination"], event["key"]) == ("nas", found.key)
    assert [file.read_bytes() == content for file, content in whole.items()].count(False) == 1, "only looked at"
    report = check(one, repair=True)
    assert (report.manifests["mended"], report.exit_code, report.shown_manifests[0][2]) == (1, 0, "written anew")
    assert len(events(one, "manifest-corrupt")) == 1, "what was written anew is not wrong any more"
    assert manifest(one, "sha256").read_bytes() == whole[manifest(one, "sha256")]
    one.verify_manifests()
    assert check(one).manifests == {"good": 2}


@pytest.mark.parametrize("ending", ["json", "sha256"])
def test_p08_a_manifest_that_is_not_there_is_missed(two: World, ending: str) -> None:
    manifest(two, ending, "tape").unlink()
    report = check(two)
    assert (report.manifests["lost"], report.exit_code) == (1, 3)
    assert [(destination, found.state) for destination, found, _ in report.shown_manifests] == [("tape", "lost")]
    assert check(two, repair=True).exit_code == 0
    two.verify_manifests()
    assert check(two).manifests == {"good": 4}


def test_p08_a_manifest_that_a_killed_run_did_not_write_is_outdated(one: World) -> None:
    before = [(manifest(one, ending), manifest(one, ending).read_bytes()) for ending in ("json", "sha256")]
    one.write("run/late", b"late")
    assert one.run().code == 0
    for file, content in before:
        file.write_bytes(content)
    report = check(one)
    assert (dict(report.manifests), report.exit_code) == ({"outdated": 1}, 3)
    report = check(one, repair=True)
    assert (dict(report.manifests), report.exit_code) == ({"mended": 1}, 0)
    one.verify_manifests()


def test_a_manifest_that_cannot_be_written_anew_stays_wrong(one: World) -> None:
    flip(manifest(one, "json"))
    (one.at["nas"] / ".coldchain/set-aside").write_text("nothing can be set aside")
    report = check(one, repair=True)
    assert (dict(report.manifests), report.exit_code) == ({"corrupt": 1}, 4)
    assert isinstance(one.monitor, Listener)
    assert any("could not be written" in note for note in one.monitor.notes)


def test_a_folder_in_the_place_of_a_manifest_is_left_alone(one: World) -> None:
    manifest(one, "sha256").unlink()
    manifest(one, "sha256").mkdir()
    report = check(one, repair=True)
    assert (dict(report.manifests), report.exit_code) == ({"good": 1, "unreadable": 1}, 3)
    assert events(one, "manifest-unreadable") == []
    with one.ledger() as ledger:
        kept = ledger.runs("j", 1)[0].summary
    key, [(_, found, _)] = manifest(one, "sha256").relative_to(one.at["nas"]).as_posix(), report.shown_manifests
    told = {"destination": "nas", "dataset": ".", "key": key, "state": "unreadable", "reason": found.reason, "done": ""}
    assert report.as_json()["manifest_findings"] == [told]
    assert (kept["manifests"], kept["manifest_findings"]) == ({"good": 1, "unreadable": 1}, [told])


def test_only_the_manifests_of_datasets_of_which_a_copy_is_read_are_read(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.configure('datasets = "folders"')
    for day in range(3):
        world.write(f"day{day}/a", b"a")
    assert world.run().code == 0
    assert check(world).manifests == {"good": 6}
    assert check(world, dataset="day1").manifests == {"good": 2}
    assert check(world, within=timedelta(days=90)).manifests == {}


def test_where_coldchain_leaves_nothing_of_its_own_no_manifest_is_missed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.configure(nas="marker = false")
    world.write("run/a", b"a")
    assert world.run().code == 0
    report = check(world)
    assert (report.manifests, report.good.files, report.exit_code) == ({}, 1, 0)


def test_who_is_asked_to_stop_reads_no_more_manifests(one: World) -> None:
    one.monitor = Listener(stops=1)
    report = check(one)
    assert (report.manifests, report.exit_code) == ({}, 130)
