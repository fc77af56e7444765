"""Rows 74 to 80 of the fault matrix: are uploads, listings, other writers and slow links borne without harm?"""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from coldchain.model import State
from coldchain.operate.restore import Wanted, restore_dataset
from tests.faults.world import sha256
from tests.promises.lab import Lab
from tests.stores.s3.proxy import Act, Exchange, Proxy, proxied
from tests.stores.s3.serving import Server
from tests.stores.s3.spoiling import (
    Rot,
    Stall,
    broken_down,
    flip_down,
    half_down,
    missing_page,
    never_minds,
    short_list,
    short_list_miscounted,
    small_pages,
    status,
)
from tests.stores.s3.world import FOLDER, LARGE, LIST, NEXT_PAGE, PART, SMALL, BucketWorld, bucket_worlds, guest, later

DEADLINE_S = 60


@pytest.fixture
def proxy(weed: Server) -> Iterator[Proxy]:
    with proxied(weed.endpoint) as one:
        yield one


@pytest.fixture
def world(tmp_path: Path, weed: Server, proxy: Proxy) -> Iterator[BucketWorld]:
    yield from bucket_worlds(tmp_path, weed, proxy)


def until(seen: Callable[[], bool], what: str) -> None:
    """Wait for it, within a deadline."""
    end = time.monotonic() + DEADLINE_S
    while not seen():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def running(world: BucketWorld) -> Lab:
    """The command line at work in the folder of a world."""
    lab = Lab.__new__(Lab)
    lab.folder = world.folder
    return lab


# --- 74: uploads that nobody finishes --------------------------------------------------------------------------------


def test_row_74_the_upload_of_a_killed_run_is_aborted_and_those_of_others_left_alone(world: BucketWorld) -> None:
    foreign = "elsewhere/of-somebody-else.bin"
    world.server.client.create_multipart_upload(Bucket=world.bucket, Key=foreign)
    under_ours = f"{FOLDER}run/theirs.bin"
    world.server.client.create_multipart_upload(Bucket=world.bucket, Key=under_ours)
    rule = world.proxy.spoil("PUT", PART, Stall(), skip=1, times=None)
    with running(world).started("run", "--init") as process:
        until(lambda: rule.hits > 0, "no part was sent")
        process.kill()
        process.wait(DEADLINE_S)
    assert sorted(world.server.uploads(world.bucket)) == sorted([FOLDER + LARGE, foreign, under_ours])
    assert LARGE not in world.contents()
    world.converge(uploads=[under_ours, foreign])


def test_row_74_doctor_tells_how_to_set_the_rule_that_sweeps_uploads(world: BucketWorld) -> None:
    assert world.run().code == 0
    done = world.command("doctor", "j")
    assert "AbortIncompleteMultipartUpload" in done.stdout, done.stdout + done.stderr


# --- 75: listings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [short_list, later(missing_page)])
@pytest.mark.parametrize("ledger", [True, False])
def test_row_75_what_a_destination_does_not_list_is_not_taken_for_absent(
    world: BucketWorld, act: Act, *, ledger: bool
) -> None:
    assert world.run().code == 0
    before = world.versions()
    if not ledger:
        shutil.rmtree(world.config.state)
    rule = world.proxy.spoil("GET", LIST, act, times=None)
    ended = world.run()
    assert rule.hits
    world.judge(ended)
    assert ended.code == 0, ended.said
    assert world.versions() == before, "something was written anew"
    world.converge()
    assert world.versions() == before


@pytest.mark.parametrize("act", [short_list_miscounted, half_down, later(broken_down)])
def test_row_75_a_listing_that_breaks_off_once_is_asked_for_again(world: BucketWorld, act: Act) -> None:
    assert world.run().code == 0
    before = world.versions()
    rule = world.proxy.spoil("GET", LIST, act)
    ended = world.run()
    assert rule.hits
    assert ended.code == 0, ended.said
    world.judge(ended)
    assert world.versions() == before
    world.converge()


def test_row_75_where_a_destination_cannot_be_listed_each_file_is_looked_for(world: BucketWorld) -> None:
    """What stands there is read, found equal, and left alone."""
    assert world.run().code == 0
    before = world.versions()
    world.write("run/new.tif", b"new")
    rule = world.proxy.spoil("GET", NEXT_PAGE, status(403, "AccessDenied"), times=None)
    world.proxy.spoil("GET", LIST, small_pages, times=None)
    ended = world.run()
    assert rule.hits
    assert ended.code == 0, ended.said
    world.judge(ended)
    assert {key: value for key, value in world.versions().items() if key in before} == before
    world.converge()


class Reversed(Lab):
    """A bucket as the source, a folder as the destination."""

    def __init__(self, world: BucketWorld) -> None:
        super().__init__(world.folder / "reversed")
        place = {"url": f"s3://{world.bucket}/data", "endpoint": world.proxy.endpoint, "region": "us-east-1"}
        text = (self.folder / "coldchain.toml").read_text()
        lines = ", ".join(f"{key} = {json.dumps(value)}" for key, value in place.items())
        text = text.replace(f'source = "{self.source}"', f"source = {{ {lines} }}\ndatasets = 'whole'")
        (self.folder / "coldchain.toml").write_text(text)

    @property
    def stored(self) -> dict[str, str]:
        """What the destination holds."""
        files = {str(file.relative_to(self.nas)): file for file in self.nas.rglob("*") if file.is_file()}
        return {name: sha256(file.read_bytes()) for name, file in files.items() if not name.startswith(".coldchain/")}


@pytest.mark.parametrize("act", [short_list, later(missing_page)])
def test_row_75_what_a_source_does_not_list_is_not_lost(world: BucketWorld, act: Act) -> None:
    """P6, and no word of "verified" is taken back; that a file is no longer listed is told."""
    assert world.run().code == 0
    lab = Reversed(world)
    assert lab.cli("run", "--init").code == 0
    before, records = lab.stored, lab.records()
    assert len(before) == 6
    world.proxy.spoil("GET", LIST, act, times=None)
    done = lab.cli("run", "--json")
    assert lab.stored == before
    assert lab.records() == records
    told = next(line for line in done.lines if line.get("format", "").startswith("coldchain-re"))
    assert told["files"] + told["datasets"][0]["gone_from_source"] == 6, "told as gone, and not forgotten"
    assert told["files"] < 6
    world.proxy.heal()
    assert lab.cli("run").code == 0
    assert lab.records() == records


@pytest.mark.parametrize("act", [status(403, "AccessDenied"), short_list_miscounted, later(half_down)])
def test_row_75_a_source_that_cannot_be_listed_to_its_end_is_no_success(world: BucketWorld, act: Act) -> None:
    assert world.run().code == 0
    lab = Reversed(world)
    world.proxy.spoil("GET", NEXT_PAGE, act, times=None)
    world.proxy.spoil("GET", LIST, small_pages, times=None)
    done = lab.cli("run", "--init")
    assert done.code == 3, done.said
    world.proxy.heal()
    assert lab.cli("run", "--init").code == 0
    assert len(lab.stored) == 6


# --- 76, 77: what comes back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", [flip_down, half_down, later(broken_down)])
@pytest.mark.parametrize("key", [SMALL, LARGE])
def test_row_76_what_is_damaged_on_the_way_down_proves_nothing_wrong(world: BucketWorld, key: str, act: Act) -> None:
    rule = world.proxy.spoil("GET", f"/{key}", act)
    ended = world.run()
    assert rule.hits
    world.judge(ended)
    world.converge()


@pytest.mark.parametrize("act", [flip_down, half_down, later(broken_down)])
@pytest.mark.parametrize("key", [SMALL, LARGE])
def test_row_76_a_restore_never_keeps_damaged_bytes(world: BucketWorld, key: str, act: Act) -> None:
    assert world.run().code == 0
    rule = world.proxy.spoil("GET", f"/{key}", act, times=None)
    back = world.folder / "back"
    with world.ledger() as ledger:
        (dataset,) = ledger.datasets("j")
        report = restore_dataset(world.job, ledger, Wanted(dataset, back), world.around())
        assert rule.hits
        assert report.exit_code in {3, 4}
        assert not (back / key).exists()
        assert all(sha256((back / path).read_bytes()) in world.history[path] for path in (SMALL, LARGE) if path != key)
        world.proxy.heal()
        assert restore_dataset(world.job, ledger, Wanted(dataset, back), world.around()).exit_code == 0
    assert all(sha256((back / path).read_bytes()) in known for path, known in world.history.items())


@pytest.mark.parametrize("act", [half_down, broken_down])
def test_row_76_a_source_that_breaks_off_is_read_again(world: BucketWorld, act: Act) -> None:
    assert world.run().code == 0
    lab = Reversed(world)
    for key in (SMALL, LARGE):
        world.proxy.spoil("GET", f"/{key}", act)
    done = lab.cli("run", "--init")
    assert done.code == 0, done.said
    assert lab.stored == {path: next(iter(contents)) for path, contents in world.history.items()}


@pytest.mark.parametrize("key", [SMALL, LARGE])
def test_row_77_rot_behind_an_unchanged_etag_is_found_by_check_and_mended(world: BucketWorld, key: str) -> None:
    assert world.run().code == 0
    rot = Rot(world.server, world.bucket, FOLDER + key)
    rot.strike()
    world.proxy.spoil("GET|HEAD|DELETE|PUT|POST", f"/{key}|list-type=2", rot.hide, times=None)
    found = world.check()
    assert found.exit_code == 4
    assert [finding.record.path for _, finding, _ in found.shown] == [key]
    mended = world.check(repair=True)
    assert (mended.exit_code, mended.mended) == (0, 1)
    world.proxy.heal()
    assert sha256(world.contents()[key]) in world.history[key]
    assert world.check().exit_code == 0
    shutil.rmtree(world.at["nas"] / ".coldchain" / "set-aside", ignore_errors=True)


# --- 78, 79: other writers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("heeds", [True, False])
def test_row_78_two_hosts_with_the_same_names_overwrite_nothing_of_each_other(
    world: BucketWorld, *, heeds: bool
) -> None:
    """Also where the server knows no conditions: then it is looked before, and doctor tells what may still happen."""
    if not heeds:
        world.proxy.spoil("PUT|POST", ".", never_minds, times=None)
    other = guest(world, "other")
    for number in range(3):
        other.write(f"run/f{number:04}.tif", b"of the other host")
    other.write(LARGE, bytes(9 << 20))
    other.write("run/only-here.tif", b"of the other host only")
    assert world.run().code == 0
    before = world.versions()
    ended = other.run()
    assert ended.code == 3, ended.said
    assert {path for path, _ in ended.troubles} == {LARGE, *(f"run/f{number:04}.tif" for number in range(3))}
    assert {state for state, _ in ended.troubles.values()} == {State.REFUSED}
    after = world.versions()
    assert {key: after[key] for key in before} == before
    assert f"{FOLDER}run/only-here.tif" in after
    world.write(SMALL, b"a newer version of the first host")
    assert world.run().code == 0
    ended = other.run()
    assert ended.code == 3, ended.said
    assert world.contents()[SMALL] == b"a newer version of the first host"
    if not heeds:
        done = world.command("doctor", "j")
        assert "does not heed" in done.stdout, done.stdout


@pytest.mark.parametrize("heeds", [True, False])
def test_row_78_what_another_writer_puts_there_in_mid_run_is_not_overwritten(
    world: BucketWorld, request: pytest.FixtureRequest, *, heeds: bool
) -> None:
    """It appears after the listing, before the names are taken.

    What the run before saw of the server does not count, even if garbage is never collected.
    """
    gc.disable()
    request.addfinalizer(gc.enable)
    (world.source / LARGE).unlink()
    del world.history[LARGE]
    assert world.run().code == 0
    world.write(LARGE, bytes(9 << 20))
    world.write("run/new.tif", b"new")

    def listed(exchange: Exchange) -> None:
        exchange.forward(exchange)
        for key in (LARGE, "run/new.tif"):
            world.put("nas", key, b"of somebody else")

    world.proxy.spoil("GET", LIST, listed)
    if not heeds:
        world.proxy.spoil("PUT|POST", ".", never_minds, times=None)
    ended = world.run()
    assert {path: state for (path, _), (state, _) in ended.troubles.items()} == {
        LARGE: State.REFUSED,
        "run/new.tif": State.REFUSED,
    }
    world.judge(ended, tidy=True)
    assert world.server.uploads(world.bucket) == []


def test_row_79_the_same_job_twice_at_once_is_refused(world: BucketWorld) -> None:
    rule = world.proxy.spoil("PUT", PART, Stall(), times=None)
    with running(world).started("run", "--init") as process:
        until(lambda: rule.hits > 0, "no part was sent")
        second = world.command("run", "j", "--init")
        assert second.returncode == 5, second.stderr
        world.proxy.heal()
        assert process.wait(DEADLINE_S) == 0
    world.converge()


# --- 80: a slow link -------------------------------------------------------------------------------------------------


@pytest.mark.faults
def test_row_80_a_slow_link_is_borne_and_holds_up_no_other_destination(tmp_path: Path, weed: Server) -> None:
    with proxied(weed.endpoint, slow_bytes_s=500_000) as slow:
        bucket = weed.bucket()
        world = BucketWorld(tmp_path, weed, slow, bucket)
        world.options["whole_size"] = world.options["part_size"] = "5 MiB"
        world.acquire(large_bytes=(5 << 20) + 1)
        near = tmp_path / "near"
        near.mkdir()
        world.at["near"] = near
        world.strangers["near"] = {}
        world.configure('verify = "checksum"', near=f"url = '{near}'")
        with running(world).started("run", "--init") as process:
            until(lambda: (near / LARGE).exists() or process.poll() is not None, "the fast one waits")
            assert process.wait(DEADLINE_S) == 0
        world.now += timedelta(minutes=1)
        ended = world.run()
        assert ended.code == 0, ended.said
        world.judge(ended, tidy=True)
        assert weed.uploads(bucket) == []
        weed.remove(bucket)
