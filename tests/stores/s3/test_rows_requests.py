"""Rows 64 to 73 of the fault matrix: does a spoilt request to a bucket ever do silent harm?

Each test ends with a run without the fault, after which everything is verified and nothing lies about.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.faults.world import Ended
from tests.stores.s3.proxy import Act, Exchange, Proxy, proxied
from tests.stores.s3.serving import Server
from tests.stores.s3.spoiling import (
    OddTags,
    Rot,
    Stall,
    cut_up,
    drops_a_part,
    flip_up,
    keeps_half,
    lost_reply,
    other_checksum,
    phantom,
    reset,
    status,
)
from tests.stores.s3.world import COMPLETE, FOLDER, LARGE, PART, SMALL, BucketWorld, bucket_worlds, later

WHOLE = f"/{SMALL}$|/{SMALL}\\?x-id=PutObject"
MANIFEST = r"/\.coldchain/manifests/.*\.json"
EVERY_TARGET = [(WHOLE, SMALL), (PART, LARGE)]


@pytest.fixture
def proxy(weed: Server) -> Iterator[Proxy]:
    with proxied(weed.endpoint) as one:
        yield one


@pytest.fixture
def world(tmp_path: Path, weed: Server, proxy: Proxy) -> Iterator[BucketWorld]:
    yield from bucket_worlds(tmp_path, weed, proxy)


def spoilt(world: BucketWorld, method: str, target: str, act: Act, times: int | None = 1) -> Ended:
    """A run with a fault, judged by the oracle."""
    rule = world.proxy.spoil(method, target, act, times=times)
    ended = world.run()
    assert rule.hits, "the fault was never met"
    world.judge(ended)
    return ended


@pytest.mark.parametrize("act", [flip_up, cut_up])
@pytest.mark.parametrize(("target", "path"), EVERY_TARGET)
def test_row_64_what_is_damaged_on_the_way_up_is_never_stored(
    world: BucketWorld, target: str, path: str, act: Act
) -> None:
    ended = spoilt(world, "PUT", target, act, times=2)
    assert ended.code == 0, ended.said
    world.converge()


@pytest.mark.parametrize("key", [SMALL, LARGE])
def test_row_65_a_byte_that_flips_after_the_answer_is_found_by_reading_back(world: BucketWorld, key: str) -> None:
    rot = Rot(world.server, world.bucket, FOLDER + key)
    world.proxy.spoil("PUT|POST", COMPLETE if key == LARGE else WHOLE, rot.after)
    world.proxy.spoil("GET|HEAD|DELETE", f"/{key}", rot.hide, times=None)
    ended = world.run()
    world.judge(ended)
    assert world.proxy.count("GET", f"/{key}"), "nothing was read back"
    world.converge()


def test_row_65_checksum_believes_what_the_server_says_of_itself_now(world: BucketWorld) -> None:
    """The server computes its checksum anew, and tells it."""
    world.configure('verify = "checksum"')
    rot = Rot(world.server, world.bucket, FOLDER + LARGE, checksum=True)
    world.proxy.spoil("POST", COMPLETE, rot.after)
    world.proxy.spoil("GET|HEAD|DELETE", f"/{LARGE}", rot.hide, times=None)
    ended = world.run()
    world.judge(ended)
    world.converge()


def test_row_65_size_claims_no_more_than_the_size(world: BucketWorld) -> None:
    """What nobody looked at is recorded as such; a later job that asks for more finds the damage."""
    world.configure('verify = "size"')
    rot = Rot(world.server, world.bucket, FOLDER + SMALL)
    world.proxy.spoil("PUT", WHOLE, rot.after)
    world.proxy.spoil("GET|HEAD", f"/{SMALL}", rot.hide, times=None)
    assert world.run().code == 0
    with world.ledger() as ledger:
        (dataset,) = ledger.datasets("j")
        assert {record.proof_kind.word for record in ledger.all_records("j", "nas", dataset)} == {"size"}
    world.configure()
    ended = world.run()
    assert ended.code == 4, ended.said
    assert "no longer what was stored" in world.reason(ended)
    world.server.client.delete_object(Bucket=world.bucket, Key=FOLDER + SMALL)
    world.converge()


@pytest.mark.parametrize("verify", ["readback", later("checksum"), later("size")])
@pytest.mark.parametrize(
    ("method", "target", "act", "path"),
    [("PUT", WHOLE, keeps_half, SMALL), ("PUT", PART, keeps_half, LARGE), ("POST", COMPLETE, drops_a_part, LARGE)],
)
def test_row_66_half_an_object_is_no_object(
    world: BucketWorld, method: str, target: str, act: Act, path: str, verify: str
) -> None:
    world.configure(f'verify = "{verify}"')
    spoilt(world, method, target, act)
    world.converge()


@pytest.mark.parametrize("verify", [later("readback"), "size"])
@pytest.mark.parametrize(("method", "target"), [("PUT", WHOLE), ("PUT", PART), ("POST", COMPLETE)])
def test_row_67_what_was_acknowledged_and_is_not_there_is_no_success(
    world: BucketWorld, method: str, target: str, verify: str
) -> None:
    world.configure(f'verify = "{verify}"')
    spoilt(world, method, target, phantom)
    world.converge()


@pytest.mark.parametrize(("act", "verify"), [(phantom, "readback"), (keeps_half, "size")])
def test_p08_a_manifest_that_the_bucket_did_not_keep_is_owed_until_it_does(
    world: BucketWorld, act: Act, verify: str
) -> None:
    world.configure(f'verify = "{verify}"')
    rule = world.proxy.spoil("PUT", MANIFEST, act, times=None)
    ended = world.run()
    assert ended.report is not None
    assert (rule.hits, ended.code, len(ended.report.manifests_due)) == (3, 3, 1), ended.said
    world.converge()


def test_p08_a_manifest_that_rots_at_once_is_taken_back_and_owed(world: BucketWorld) -> None:
    rot = Rot(world.server, world.bucket, FOLDER + ".coldchain/manifests/j/%2E.json")
    world.proxy.spoil("PUT", MANIFEST, rot.after, times=None)
    world.proxy.spoil("GET|HEAD|DELETE", MANIFEST, rot.hide, times=None)
    ended = world.run()
    assert ended.report is not None
    assert (ended.code, ended.report.manifests_due) == (3, ["."]), ended.said
    assert not [key for key in world.contents() if key.endswith(".json") and "/manifests/" in key]
    world.converge()


def test_row_68_an_error_in_the_body_of_a_200_is_an_error(world: BucketWorld) -> None:
    spoilt(world, "POST", COMPLETE, status(200, "InternalError"))
    world.converge()


@pytest.mark.parametrize(("method", "target", "sent"), [("PUT", WHOLE, 2), ("PUT", PART, 3), ("POST", COMPLETE, 2)])
def test_row_69_a_lost_reply_costs_one_more_request_and_is_no_conflict(
    world: BucketWorld, method: str, target: str, sent: int
) -> None:
    ended = spoilt(world, method, target, lost_reply)
    assert ended.code == 0, ended.said
    assert world.proxy.count(method, target) <= sent
    assert world.proxy.count("PUT", PART) <= 3, "the data travelled again"
    before = world.versions()
    world.converge()
    assert world.versions() == before


@pytest.mark.parametrize(("target", "path"), EVERY_TARGET)
def test_row_70_a_link_that_breaks_is_tried_again(world: BucketWorld, target: str, path: str) -> None:
    ended = spoilt(world, "PUT", target, reset)
    assert ended.code == 0, ended.said
    world.converge()


@pytest.mark.parametrize(("target", "path"), EVERY_TARGET)
def test_row_70_a_request_that_stalls_is_given_up_after_the_patience_of_the_place(
    world: BucketWorld, target: str, path: str
) -> None:
    world.options["patience"] = "1 s"
    world.configure()
    stall = Stall(20)
    ended = spoilt(world, "PUT", target, stall)
    assert ended.code == 0, ended.said
    world.converge()
    assert not stall.outlasted


@pytest.mark.parametrize("answer", [status(503, "SlowDown"), later(status(429, "TooManyRequests", Retry_After="0"))])
@pytest.mark.parametrize(("target", "path"), EVERY_TARGET)
def test_row_71_a_server_that_is_overloaded_for_a_while_is_waited_for(
    world: BucketWorld, target: str, path: str, answer: Act
) -> None:
    ended = spoilt(world, "PUT", target, answer, times=3)
    assert ended.code == 0, ended.said
    world.converge()


@pytest.mark.faults
def test_row_71_a_server_that_says_how_long_to_wait_is_heeded(world: BucketWorld) -> None:
    came: list[float] = []

    def busy_once(exchange: Exchange) -> None:
        came.append(time.monotonic())
        (exchange.forward if len(came) > 1 else status(503, "SlowDown", Retry_After="2"))(exchange)

    world.proxy.spoil("PUT", f"/{LARGE}.*partNumber=1", busy_once, times=2)
    ended = world.run()
    assert ended.code == 0, ended.said
    assert came[1] - came[0] >= 2, "the task of this row: the server names the time"
    world.converge()


@pytest.mark.faults
def test_row_71_a_server_that_stays_overloaded_ends_the_run_in_words(world: BucketWorld) -> None:
    assert world.run().code == 0
    world.write("run/new.tif", b"new")
    ended = spoilt(world, "PUT", "/run/", status(503, "SlowDown"), times=None)
    assert ended.code == 3, ended.said
    assert "overloaded" in world.reason(ended, "run/new.tif")
    assert world.proxy.count("PUT", "/run/new.tif") <= 10
    assert (world.source / "run/new.tif").read_bytes() == b"new"
    world.converge()


THEIRS = format_datetime(datetime.now(UTC) + timedelta(minutes=42), usegmt=True)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (status(403, "RequestTimeTooSkewed", Date=THEIRS), "set the clock"),
        (status(400, "ExpiredToken"), "sign in again"),
        (status(403, "AccessDenied"), "no right"),
    ],
)
@pytest.mark.parametrize(("target", "skip"), [("/run/f", 2), (PART, 1)])
def test_row_72_a_refusal_in_mid_run_is_told_at_once_and_in_words(
    world: BucketWorld, target: str, skip: int, answer: Act, words: str
) -> None:
    rule = world.proxy.spoil("PUT", target, answer, skip=skip, times=None)
    ended = world.run()
    assert rule.hits
    world.judge(ended)
    assert ended.code == 3, ended.said
    assert words in " ".join(reason for _, reason in ended.troubles.values()), ended.said
    assert len(ended.troubles) < 6, "nothing went well before the fault"
    assert world.proxy.count("PUT", "/run/") <= 20, "a storm of requests that cannot succeed"
    world.converge()


@pytest.mark.parametrize(
    "spell",
    [
        lambda method, real: f'"{real[::-1]}"',
        later(lambda method, real: f'"{real}-1"'),
        later(lambda method, real: real[::-1]),
        lambda method, real: f'"p{real[1:]}"' if method == "PUT" else f'"{real[::-1]}"',
    ],
    ids=["foreign", "as of parts", "without quotes", "another one after a PUT"],
)
def test_row_73_an_etag_is_only_a_mark(world: BucketWorld, spell: object) -> None:
    odd = OddTags(spell)  # type: ignore[arg-type]
    world.proxy.spoil(".*", ".", odd.act, times=None)
    ended = world.run()
    assert ended.code == 0, ended.said
    world.judge(ended)
    before = world.versions()
    again = world.run()
    assert again.code == 0, again.said
    world.write(SMALL, b"a newer version")
    world.write(LARGE, b"a newer version that is small")
    assert world.run().code == 0
    after = world.versions()
    assert {key for key in after if after[key] != before[key]} == {FOLDER + SMALL, FOLDER + LARGE}


@pytest.mark.parametrize("verify", ["readback", "checksum"])
@pytest.mark.parametrize("key", [SMALL, LARGE])
def test_a_server_that_claims_another_checksum_is_not_believed(world: BucketWorld, key: str, verify: str) -> None:
    world.options["tags"] = "a=b"  # so that all goes by the way that asks for checksums
    world.configure(f'verify = "{verify}"')
    ended = spoilt(world, "HEAD", f"/{key}", other_checksum, times=None)
    assert ended.code != 0
    assert "other bytes" in world.reason(ended, key)
    world.converge()
