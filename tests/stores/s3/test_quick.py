"""Does the quick way do the same as the patient one, and step aside where it cannot?"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from base64 import b64encode

import pytest

from coldchain.errors import ChangedUnderway, Occupied
from coldchain.model import Entry
from coldchain.stores.s3.bucket import S3Bucket
from coldchain.stores.s3.quick import LIMIT_BYTES, Quick
from coldchain.stores.s3.store import S3Store
from coldchain.testing.contract.acts import carry, content_of
from tests.stores.s3.serving import Server


def bucket_of(store: S3Store) -> S3Bucket:
    return store._bucket


def quick_of(store: S3Store) -> Quick:
    quick = bucket_of(store).call.quick
    assert quick is not None, "obstore is not installed"
    return quick


def test_an_object_bears_the_same_whichever_way_it_went(weed: Server, bucket: str) -> None:
    store = weed.store(bucket)
    calling = bucket_of(store).call
    carry(store, {"quick": b"content"})
    calling.quick = None
    carry(store, {"patient": b"content"})
    quick, patient = (
        weed.client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED") for key in ("quick", "patient")
    )
    sha256 = hashlib.sha256(b"content")
    assert quick["ChecksumSHA256"] == patient["ChecksumSHA256"] == b64encode(sha256.digest()).decode()
    assert quick["Metadata"].keys() == patient["Metadata"].keys()
    assert quick["Metadata"]["coldchain-sha256"] == sha256.hexdigest()
    assert (quick["ETag"], quick["ContentLength"]) == (patient["ETag"], patient["ContentLength"])


@pytest.mark.parametrize("name", ["a b", "a#b", "a%b", "a%20b", "é", "e\u0301", "日本", "a+b", "a\\b", "a\x7f", "~"])
def test_a_name_is_the_same_whichever_way_it_went(moto: Server, name: str) -> None:
    """P16; those that obstore cannot say go the patient way."""
    bucket = moto.bucket()
    store = moto.store(bucket)
    carry(store, {name: b"content"})
    assert moto.keys(bucket) == [name]
    assert content_of(store, name) == b"content"
    moto.remove(bucket)


def test_it_tells_nothing_but_success(weed: Server, bucket: str) -> None:
    store = weed.store(bucket)
    quick = quick_of(store)
    carry(store, {"file": b"content", "empty": b""})
    facts = quick.look("file")
    assert facts is not None
    assert quick.put("file", b"other", {}, {"IfNoneMatch": "*"}) is None
    assert quick.put("file", b"other", {}, {"IfMatch": f'"{"0" * 32}"'}) is None
    assert content_of(store, "file") == b"content"
    assert (quick.look("none"), quick.get("none", 0, 9)) == (None, None)
    assert quick.get("file", 0, 9, '"another"') is None
    got = quick.get("file", 1, 3, facts["ETag"])
    assert got is not None
    assert bytes(got.content) == b"on"
    sent = quick.put("file", b"other", {}, {"IfMatch": facts["ETag"]})
    assert sent is not None
    assert content_of(store, "file") == b"other"


def test_no_s_are_no_failures_and_too_many_failures_end_it(weed: Server, bucket: str) -> None:
    store = weed.store(bucket)
    quick = quick_of(store)
    carry(store, {"empty": b""})
    for _ in range(30):
        assert quick.look("none") is None
        quick.get("empty", 0, 9)
    assert quick.look("empty") is not None
    nowhere = quick_of(weed.store(bucket))
    library, nowhere._library = nowhere._library, None
    for _ in range(30):
        assert nowhere.look("empty") is None
    nowhere._library = library
    assert nowhere.look("empty") is None
    assert content_of(store, "empty") == b""


def test_what_stands_there_is_occupied_as_ever(weed: Server, bucket: str) -> None:
    store = weed.store(bucket)
    carry(store, {"file": b"content"})
    staging = store.stage()
    sink = staging.open("file", Entry("file", 5, 1))
    sink.write(b"other")
    sink.close()
    assert isinstance(staging.publish({"file": None})["file"], Occupied)
    staging.close()
    assert content_of(store, "file") == b"content"


def test_what_another_put_there_meanwhile_is_seen(weed: Server, bucket: str) -> None:
    """The ETag that the server gave to what it was sent is not the one that stands there."""
    store = weed.store(bucket)
    calling = bucket_of(store).call

    class Overtaken(Quick):
        def look(self, key: str) -> dict[str, object] | None:
            weed.client.put_object(Bucket=bucket, Key=key, Body=b"quicker")
            return super().look(key)

    quick = quick_of(store)
    calling.quick = Overtaken(quick._library, quick._store)
    staging = store.stage()
    sink = staging.open("file", Entry("file", 7, 1))
    sink.write(b"content")
    sink.close()
    assert isinstance(staging.publish({"file": None})["file"], Occupied)
    staging.close()
    assert content_of(store, "file") == b"quicker"


def test_a_forked_child_does_not_wait_for_ever(weed: Server, bucket: str) -> None:
    store = weed.store(bucket)
    carry(store, {"file": b"content"})
    assert quick_of(store).look("file") is not None
    child = os.fork()
    if child == 0:
        os._exit(0 if content_of(store, "file") == b"content" else 1)
    until = time.monotonic() + 30
    while (ended := os.waitpid(child, os.WNOHANG))[0] == 0 and time.monotonic() < until:
        time.sleep(0.05)
    if ended[0] == 0:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended[0] == child
    assert ended[1] == 0


def test_a_medium_file_is_whole_at_the_border(weed: Server, bucket: str) -> None:
    store = weed.store(bucket)
    for size_bytes in (LIMIT_BYTES, LIMIT_BYTES + 1):
        content = os.urandom(size_bytes)
        carry(store, {f"file{size_bytes}": content})
        assert content_of(store, f"file{size_bytes}") == content


def test_what_a_server_does_not_do_is_remarked(weed: Server, moto: Server, bucket: str) -> None:
    assert not [remark for remark in weed.store(bucket).remarks() if remark.startswith("the server does not")]
    lax = moto.bucket()
    assert any("checksum" in remark for remark in moto.store(lax).remarks())
    assert moto.keys(lax) == []
    assert not any("everybody may write" in remark for remark in moto.store(lax).remarks())
    everybody = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
    moto.client.put_bucket_acl(Bucket=lax, GrantWrite=everybody)
    assert any("everybody may write" in remark for remark in moto.store(lax).remarks())
    moto.remove(lax)


def test_a_key_that_is_too_long_is_refused_when_it_is_planned(weed: Server, bucket: str) -> None:
    """P12; the folder of the URL counts."""
    rules = weed.store(bucket, "a folder").probe_names()
    names = "n" * 200 + "/"
    assert rules.refusal(names * 5 + "n" * 10) == ""
    assert rules.refusal(names * 5 + "n" * 11) != ""


@pytest.mark.parametrize("quickly", [True, False])
def test_an_object_that_is_replaced_while_it_is_read_is_no_mixture(weed: Server, bucket: str, *, quickly: bool) -> None:
    store = weed.store(bucket)
    carry(store, {"file": os.urandom(2 << 20)})
    if not quickly:
        bucket_of(store).call.quick = None
    with store.read("file") as reader:
        weed.client.put_object(Bucket=bucket, Key="file", Body=os.urandom(2 << 20))
        with pytest.raises(ChangedUnderway):
            list(reader.chunks())
