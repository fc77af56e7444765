"""Does a name in a bucket mean the whole content of one writer, and does nothing lie about beside it?"""

from __future__ import annotations

import os
import subprocess
import sys
import zlib

import pytest

from coldchain.errors import FlushFailed, Occupied, StoreError
from coldchain.model import Entry
from coldchain.stores.base import Staging
from coldchain.stores.objects.staging import ObjectStaging
from coldchain.stores.s3.abilities import Seen
from coldchain.testing.contract.acts import (
    arrived,
    content_of,
    entry_for,
    everything,
    put_in,
    refused,
    some_bytes,
    staging_of,
)
from tests.stores.s3.serving import Server

LARGE = some_bytes((5 << 20) + 5)
IN_PARTS = {"whole_size": "1 MiB", "part_size": "5 MiB"}
CONTENTS = {"small": b"ours", "large": LARGE}


def within(staging: Staging) -> ObjectStaging:
    assert isinstance(staging, ObjectStaging)
    return staging


def test_a_large_file_goes_in_parts_that_nobody_sees(weed: Server, bucket: str) -> None:
    """P3; and what tells of the upload is gone with it."""
    store = weed.store(bucket, **IN_PARTS)
    with staging_of(store, "job1") as staging:
        put_in(staging, "large", LARGE)
        assert weed.uploads(bucket) == ["large"]
        (note,) = everything(store)
        assert store.is_leftover(note, "job1")
        assert not store.is_leftover(note, "job10")
        arrived(staging.publish({"large": None})["large"])
        assert staging.vouched("large") in {"crc64nvme", "crc32"}
    assert content_of(store, "large") == LARGE
    assert everything(store) == ["large"]
    assert weed.uploads(bucket) == []


def test_what_is_taken_back_leaves_no_upload(weed: Server, bucket: str) -> None:
    store = weed.store(bucket, **IN_PARTS)
    with staging_of(store) as staging:
        sink = staging.open("aborted", entry_for("aborted", LARGE))
        sink.write(LARGE)
        sink.abort()
        put_in(staging, "discarded", LARGE)
        staging.discard("discarded")
        put_in(staging, "twice", LARGE)
        put_in(staging, "twice", LARGE[1:])
        assert weed.uploads(bucket) == ["twice"]
        staging.open("open", entry_for("open", LARGE)).write(LARGE)
    assert weed.uploads(bucket) == []
    assert everything(store) == []


def test_the_upload_of_a_killed_run_is_aborted_with_its_note(weed: Server, bucket: str) -> None:
    """By its owner's next run, which finds it by listing; uploads of others for other keys stay."""
    store = weed.store(bucket, **IN_PARTS)
    abandoned = store.stage("job1")
    put_in(abandoned, "large", LARGE)
    weed.client.create_multipart_upload(Bucket=bucket, Key="large.of-another")
    for key in everything(store):
        assert store.is_leftover(key, "job1")
        store.delete(key)
    assert weed.uploads(bucket) == ["large.of-another"]
    assert everything(store) == []
    assert isinstance(abandoned.publish({"large": None})["large"], StoreError)
    abandoned.close()


@pytest.mark.parametrize("key", sorted(CONTENTS))
@pytest.mark.parametrize("replacing", [False, True])
def test_a_lost_reply_is_looked_into(weed: Server, bucket: str, key: str, *, replacing: bool) -> None:
    """faults.md 69: the object is there, though nobody said so; the same request again is refused."""
    store = weed.store(bucket, **IN_PARTS)
    before = None
    if replacing:
        weed.client.put_object(Bucket=bucket, Key=key, Body=b"before")
        before = store.stat(key)
    with staging_of(store) as staging:
        put_in(staging, key, CONTENTS[key])
        outgoing = within(staging)._closed[key]
        there = outgoing._there(before)
        outgoing._send(there)  # ... and the reply is lost
        outgoing._there = lambda expected: there  # type: ignore[method-assign]
        entry = arrived(staging.publish({key: before})[key])
    assert entry == store.stat(key)
    assert content_of(store, key) == CONTENTS[key]
    assert weed.uploads(bucket) == []


@pytest.mark.parametrize("key", sorted(CONTENTS))
def test_of_two_writers_the_second_is_told_at_the_last_moment(weed: Server, bucket: str, key: str) -> None:
    """P5: between the look and the write another one comes; the server itself refuses."""
    store = weed.store(bucket, **IN_PARTS)
    with staging_of(store) as staging:
        put_in(staging, key, CONTENTS[key])
        weed.client.put_object(Bucket=bucket, Key=key, Body=b"theirs")
        assert isinstance(refused(staging.publish({key: None})[key]), Occupied)
    assert content_of(store, key) == b"theirs"
    seen = store.stat(key)
    with staging_of(store) as staging:
        put_in(staging, key, CONTENTS[key])
        weed.client.put_object(Bucket=bucket, Key=key, Body=b"THEIRS")  # same size, perhaps within the same second
        assert isinstance(refused(staging.publish({key: seen})[key]), Occupied)
    assert content_of(store, key) == b"THEIRS"
    assert weed.uploads(bucket) == []


def test_a_server_that_heeds_no_condition_is_looked_at_before(moto: Server, weed: Server, bucket: str) -> None:
    """What was found out about a server decides how it is asked."""
    from dataclasses import replace

    store = weed.store(bucket, **IN_PARTS)
    bucket_ = store._bucket
    bucket_._whole = replace(bucket_.whole(""), creates_only=False, replaces_only=False)
    weed.client.put_object(Bucket=bucket, Key="taken", Body=b"theirs")
    with staging_of(store) as staging:
        for key in ("taken", "free"):
            put_in(staging, key, b"ours")
        results = staging.publish({"taken": None, "free": None})
    assert isinstance(refused(results["taken"]), Occupied)
    arrived(results["free"])
    assert content_of(store, "taken") == b"theirs"


def test_what_seaweedfs_and_moto_do_is_found_out(weed: Server, moto: Server, bucket: str) -> None:
    """ "No error" is not "verified": moto takes a wrong checksum, so it vouches for nothing."""
    good = weed.store(bucket, **IN_PARTS)._bucket
    assert good.whole("a") == Seen(creates_only=True, replaces_only=True, verifies=True)
    parts = good.in_parts("a")
    assert (parts.creates_only, parts.checksums, parts.verifies) == (True, True, True)
    other = moto.bucket()
    store = moto.store(other, **IN_PARTS)
    assert store._bucket.whole("a").verifies is False
    with staging_of(store) as staging:
        put_in(staging, "small", b"1")
        put_in(staging, "large", LARGE)
        for result in staging.publish({"small": None, "large": None}).values():
            arrived(result)
        assert [staging.vouched(key) for key in ("small", "large")] == ["", ""]
    assert weed.keys(bucket) == []
    assert moto.keys(other) == ["large", "small"]
    moto.remove(other)


def test_an_object_that_is_not_what_was_sent_is_removed(weed: Server, bucket: str) -> None:
    """faults.md 65 and 66, as far as the server itself can tell."""
    store = weed.store(bucket, **IN_PARTS)
    with staging_of(store) as staging:
        put_in(staging, "file", b"1234")
        outgoing = within(staging)._closed["file"]
        outgoing.size_bytes = 5
        error = refused(staging.publish({"file": None})["file"])
    assert isinstance(error, FlushFailed)
    assert error.temporary
    assert everything(store) == []


def test_an_object_bears_what_the_configuration_says(weed: Server, bucket: str) -> None:
    store = weed.store(bucket, storage_class="STANDARD_IA", tags="project=atlas, plate=B 2")
    entry = Entry("run/file", 4, 1_600_000_000_123_456_789)
    with staging_of(store) as staging:
        put_in(staging, "run/file", b"1234", entry)
        put_in(staging, ".coldchain/own", b"1234", entry)
        staging.publish({"run/file": None, ".coldchain/own": None})
    facts = weed.client.head_object(Bucket=bucket, Key="run/file")
    assert facts["StorageClass"] == "STANDARD_IA"
    assert facts["Metadata"]["mtime"] == "1600000000.123456789"
    assert facts["Metadata"]["coldchain-sha256"].startswith("03ac6742")
    tags = weed.client.get_object_tagging(Bucket=bucket, Key="run/file")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"project": "atlas", "plate": "B 2"}
    assert weed.client.head_object(Bucket=bucket, Key=".coldchain/own").get("StorageClass") in {None, "STANDARD"}


def test_what_is_taken_back_from_a_bucket_with_versions_lets_the_older_one_show(weed: Server, bucket: str) -> None:
    weed.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    store = weed.store(bucket, **IN_PARTS)
    weed.client.put_object(Bucket=bucket, Key="file", Body=b"older")
    with staging_of(store) as staging:
        put_in(staging, "file", b"newer")
        arrived(staging.publish({"file": store.stat("file")})["file"])
        staging.discard("file")
    assert content_of(store, "file") == b"older"
    for version in weed.client.list_object_versions(Bucket=bucket).get("Versions", ()):
        weed.client.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])


_GIBIBYTE = """
import sys
from coldchain.stores.s3.store import S3Store
from coldchain.model import Entry
store = S3Store(sys.argv[1], options={"endpoint": sys.argv[2], "region": "us-east-1"})
staging = store.stage("big")
sink = staging.open("big", Entry("big", 1 << 30, 1))
piece = bytes(range(256)) * 4096
for _ in range(1024):
    sink.write(piece)
sink.close()
entry = staging.publish({"big": None})["big"]
assert entry.size_bytes == 1 << 30, entry
with staging.read_back("big") as reader:
    assert all(chunk == piece for chunk in reader.chunks())
staging.close()
status = open("/proc/self/status").read()  # not getrusage: that counts the moment between fork and exec
print(int(status.partition("VmHWM:")[2].split()[0]) >> 10)
"""


@pytest.mark.faults
def test_a_gibibyte_takes_little_memory(weed: Server, bucket: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _GIBIBYTE, f"s3://{bucket}", weed.endpoint],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 300


def test_the_checksum_that_needs_no_package_is_that_of_the_protocol() -> None:
    """Where awscrt is missing, CRC-32 takes its place."""
    assert zlib.crc32(b"6789", zlib.crc32(b"12345")) == 0xCBF43926
