"""Does trouble with a server or with rights end quickly, with the cause in words?"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from coldchain.errors import (
    ConfigurationError,
    Denied,
    NotAFile,
    NotFound,
    Occupied,
    StoreError,
    StoreFull,
    StoreGone,
    Unreliable,
)
from coldchain.model import Place
from coldchain.stores.base import open_store
from coldchain.stores.objects.patience import Patience
from coldchain.stores.s3.store import S3Store
from coldchain.stores.s3.trouble import is_temporary, retry_after_s, translate
from coldchain.testing.contract.acts import carry, put_in, staging_of
from tests.ports import free_port
from tests.stores.s3.serving import KEY, READER, READER_SECRET, SECRET, Server


def answer(status: int, code: str, **headers: str) -> ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers}
    facts: Any = {"Error": {"Code": code, "Message": "words"}, "ResponseMetadata": metadata}
    return ClientError(facts, "PutObject")


@pytest.mark.parametrize(
    ("error", "kind", "again"),
    [
        (answer(404, "NoSuchKey"), NotFound, False),
        (answer(412, "PreconditionFailed"), Occupied, False),
        (answer(403, "AccessDenied"), Denied, False),
        (answer(403, "ExpiredToken"), StoreGone, False),
        (answer(403, "InvalidAccessKeyId"), StoreGone, False),
        (answer(403, "SignatureDoesNotMatch"), StoreGone, False),
        (answer(403, "Whatever"), Denied, False),
        (answer(507, "InsufficientStorage"), StoreFull, False),
        (answer(503, "SlowDown"), StoreGone, True),
        (answer(429, "Other"), StoreGone, True),
        (answer(500, "InternalError"), Unreliable, True),
        (answer(400, "BadDigest"), Unreliable, True),
        (answer(400, "RequestTimeout"), Unreliable, True),
        (answer(400, "Strange"), StoreError, False),
        (EndpointConnectionError(endpoint_url="http://x"), StoreGone, True),
        (NoCredentialsError(), StoreGone, False),
        (ConnectionResetError(), Unreliable, True),
    ],
)
def test_each_refusal_has_its_class_and_is_tried_again_or_not(
    error: Exception, kind: type[StoreError], *, again: bool
) -> None:
    translated = translate(error, url="s3://b", key="k")
    assert type(translated) is kind
    assert (translated.url, translated.key) == ("s3://b", "k")
    assert translated.reason
    assert is_temporary(error) is again


def test_a_wrong_clock_is_named_and_measured() -> None:
    theirs = format_datetime(datetime.now(UTC) + timedelta(minutes=42), usegmt=True)
    error = translate(answer(403, "RequestTimeTooSkewed", date=theirs), url="s3://b", key="k")
    assert "clock of this computer is 42 minutes behind" in error.reason
    assert error.ends_store


@pytest.mark.parametrize("date", ["Mon, 01 Jan 2024 00:00:00 -0000", "Mon, 01 Jan 99999999999 00:00:00 GMT", "soon"])
def test_a_wrong_clock_is_named_although_the_server_says_no_time(date: str) -> None:
    error = translate(answer(403, "RequestTimeTooSkewed", date=date), url="s3://b", key="k")
    assert error.reason.startswith("the clock of this computer is ")
    assert error.ends_store


@pytest.mark.parametrize("said", ["\xb2", "-1", "1e9", "soon", ""])
def test_a_time_to_wait_that_is_none_is_no_reason_to_fail(said: str) -> None:
    assert retry_after_s(answer(503, "SlowDown", **{"retry-after": said})) == 0


def test_the_server_says_how_long_to_wait_and_is_heeded_within_reason() -> None:
    asked = retry_after_s(answer(503, "SlowDown", **{"retry-after": "7"}))
    assert asked == 7
    assert Patience().wait_s(1, asked) == 7
    assert Patience().wait_s(1, 10_000) == 60
    assert 4 <= Patience().wait_s(6, 0) <= 8


@pytest.mark.parametrize(
    ("key", "secret", "words"),
    [("nobody", "x", "does not know this access key"), (KEY, "wrong-secret", "secret key is wrong")],
)
def test_wrong_credentials_fail_at_once_and_in_words(
    weed: Server, bucket: str, monkeypatch: pytest.MonkeyPatch, key: str, secret: str, words: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    store = S3Store(f"s3://{bucket}", options=weed.options())
    begun = time.monotonic()
    with pytest.raises(StoreGone, match=words) as caught:
        store.volume()
    assert time.monotonic() - begun < 5
    assert secret not in str(caught.value) or secret == "x"


def test_without_credentials_the_next_step_is_named(weed: Server, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = S3Store(f"s3://{bucket}", options=weed.options())
    with pytest.raises(StoreGone, match="AWS_ACCESS_KEY_ID"):
        store.volume()
    with pytest.raises(StoreError):
        S3Store(f"s3://{bucket}", options=weed.options(anonymous="true")).volume()


def test_who_may_only_read_reads_and_is_denied_writing(
    weed: Server, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry(weed.store(bucket), {"a": b"1"})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", READER_SECRET)
    store = weed.store(bucket)
    assert [item.path for item in store.list()] == ["a"]
    with staging_of(store) as staging:
        put_in(staging, "b", b"2")
        staging.flush()
        assert isinstance(staging.publish({"b": None})["b"], Denied)
    with pytest.raises(Denied):
        store.delete("a")


def test_a_missing_bucket_is_not_found_and_never_made(weed: Server) -> None:
    store = weed.store("test-not-there")
    for verb in (store.volume, store.make, lambda: list(store.list())):
        with pytest.raises(NotFound, match="no such bucket"):
            verb()


def test_what_lies_in_an_archive_is_no_file_and_the_next_step_is_named(moto: Server) -> None:
    bucket = moto.bucket()
    moto.client.put_object(Bucket=bucket, Key="a", Body=b"1", StorageClass="GLACIER")
    store = moto.store(bucket)
    assert [item.path for item in store.list()] == ["a"]
    with pytest.raises(NotAFile, match="restored"):
        store.read("a")
    moto.remove(bucket)


def test_a_server_that_is_not_there_is_gone(bucket: str) -> None:
    patience = Patience(tries=2, first_wait_s=0.01)
    store = S3Store(f"s3://{bucket}", options={"endpoint": f"http://127.0.0.1:{free_port()}"}, patience=patience)
    with pytest.raises(StoreGone, match="cannot be reached"):
        store.volume()


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://", {}),
        ("s3://b", {}),
        ("s3://bucket/a//b", {}),
        ("s3://bucket/../b", {}),
        ("s3://bucket", {"endpoit": "x"}),
        ("s3://bucket", {"endpoint": "example.org"}),
        ("s3://bucket", {"sse": "rot13"}),
        ("s3://bucket", {"kms_key": "k"}),
        ("s3://bucket", {"tags": "plain"}),
        ("s3://bucket", {"addressing": "sideways"}),
        ("s3://bucket", {"anonymous": "perhaps"}),
        ("s3://bucket", {"part_size": "1 MiB"}),
        ("s3://bucket", {"profile": "no-such-profile"}),
    ],
)
def test_what_makes_no_sense_is_refused(url: str, options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError):
        open_store(Place("p", url, tuple(options.items()))).volume()


@pytest.mark.parametrize(
    ("url", "options"),
    [
        (f"s3://{KEY}:{SECRET}@bucket/x", {}),
        ("s3://bucket", {"endpoint": f"https://{KEY}:{SECRET}@example.org"}),
    ],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(url: str, options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        S3Store(url, options=options)
    assert SECRET not in str(caught.value)
    assert KEY not in str(caught.value)
