"""Does trouble with a server of Azure's kind end quickly, with the cause in words, and with nothing half-written?"""

from __future__ import annotations

import logging
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace as hurried
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.storage.blob import StandardBlobTier, generate_account_sas

from coldchain.errors import (
    ConfigurationError,
    Denied,
    NameRefused,
    NotAFile,
    NotFound,
    Occupied,
    StoreError,
    StoreGone,
    Unreliable,
)
from coldchain.stores.azure.store import AzureStore
from coldchain.stores.azure.trouble import judge
from coldchain.testing.contract.acts import (
    carry,
    content_of,
    entry_for,
    everything,
    put_in,
    refused,
    replace,
    some_bytes,
    staging_of,
)
from tests.ports import free_port
from tests.stores.azure.conftest import program
from tests.stores.azure.serving import ACCOUNT, HASTY, KEY, Server, served
from tests.stores.objects.meddling import Meddle, Proxy, between, first

LARGE = some_bytes((1 << 20) + 77)
SLOW = some_bytes(8 << 20)
IN_BLOCKS = {"whole_size": "0", "part_size": "256 KiB"}
WRONG = b64encode(b"CANARY-7f3-wrong-key").decode()


@pytest.fixture
def container(azurite: Server) -> Iterator[str]:
    name = azurite.bucket()
    yield name
    azurite.remove(name)


def through(proxy: Proxy, container: str, **more: str) -> AzureStore:
    options = {"endpoint": f"http://{proxy.netloc}/{ACCOUNT}", "account": ACCOUNT, **more}
    return AzureStore(f"az://{container}", options=options, patience=HASTY)


def is_put(method: str, path: str) -> bool:
    return method == "PUT" and "comp=" not in path and "uploads" not in path


def is_block(method: str, path: str) -> bool:
    return method == "PUT" and "comp=block&" in path and "uploads" not in path


def is_list(method: str, path: str) -> bool:
    return method == "PUT" and "comp=blocklist" in path and "uploads" not in path


def answer(status: int, code: str, headers: Mapping[str, str] | None = None) -> HttpResponseError:
    error = HttpResponseError("CANARY https://host/?sig=CANARY")
    error.status_code, error.error_code = status, code  # type: ignore[attr-defined]
    error.response = SimpleNamespace(headers=headers or {})
    return error


@pytest.mark.parametrize(
    ("error", "kind", "again"),
    [
        (answer(404, "BlobNotFound"), NotFound, False),
        (answer(404, "ContainerNotFound"), NotFound, False),
        (answer(409, "BlobAlreadyExists"), Occupied, False),
        (answer(412, "ConditionNotMet"), Occupied, False),
        (answer(409, "InvalidBlobType"), Occupied, False),
        (answer(409, "BlobArchived"), NotAFile, False),
        (answer(409, "BlobImmutableDueToPolicy"), Denied, False),
        (answer(412, "LeaseIdMissing"), Denied, False),
        (answer(403, "AuthorizationPermissionMismatch"), Denied, False),
        (answer(403, "Whatever"), Denied, False),
        (answer(403, "AuthenticationFailed"), StoreGone, False),
        (answer(401, "NoAuthenticationInformation"), StoreGone, False),
        (answer(400, "InvalidResourceName"), NameRefused, False),
        (answer(400, "Md5Mismatch"), Unreliable, True),
        (answer(400, "Strange"), StoreError, False),
        (answer(503, "ServerBusy"), StoreGone, True),
        (answer(500, "InternalError"), Unreliable, True),
        (ClientAuthenticationError("CANARY"), StoreGone, False),
        (ServiceRequestError("refused"), StoreGone, True),
        (ServiceResponseError("cut"), Unreliable, True),
        (IncompleteReadError("cut"), Unreliable, True),
    ],
)
def test_each_refusal_has_its_class_and_is_tried_again_or_not(
    error: Exception, kind: type[StoreError], *, again: bool
) -> None:
    verdict = judge(error, url="az://b", key="k")
    assert type(verdict.error) is kind
    assert (verdict.error.url, verdict.error.key) == ("az://b", "k")
    assert verdict.error.reason
    assert "CANARY" not in verdict.error.reason
    assert verdict.again is again


def test_a_wrong_clock_is_named_and_measured() -> None:
    theirs = format_datetime(datetime.now(UTC) + timedelta(minutes=42), usegmt=True)
    verdict = judge(answer(403, "AuthenticationFailed", {"Date": theirs}), url="az://b", key="k")
    assert "clock of this computer is 42 minutes behind" in verdict.error.reason


@pytest.mark.parametrize("date", ["Mon, 01 Jan 2024 00:00:00 -0000", "Mon, 01 Jan 99999999999 00:00:00 GMT", "soon"])
def test_a_refusal_is_understood_although_the_server_says_no_time(date: str) -> None:
    verdict = judge(answer(403, "AuthenticationFailed", {"Date": date}), url="az://b", key="k")
    assert type(verdict.error) is StoreGone


def test_a_time_to_wait_that_is_none_is_no_reason_to_fail() -> None:
    assert judge(answer(503, "ServerBusy", {"Retry-After": "\xb2"}), url="az://b", key="k").asked_s == 0


def test_a_wrong_key_fails_at_once_in_words_and_is_never_shown(
    azurite: Server, container: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("AZURE_STORAGE_KEY", WRONG)
    store = azurite.store(container)
    with pytest.raises(StoreGone, match="does not accept key") as caught:
        store.volume()
    shown = f"{caught.value!r} {caught.value} {store!r} {store.url} {vars(store)} {caplog.text}"
    assert WRONG not in shown
    monkeypatch.setenv("AZURE_STORAGE_KEY", "no base64: CANARY-7f3")
    with pytest.raises((ConfigurationError, StoreError)) as nonsense:
        AzureStore(f"az://{container}/x", options=azurite.options(), patience=HASTY).volume()
    assert "CANARY" not in str(nonsense.value)


def test_connection_strings_and_signatures_are_credentials_as_well(
    azurite: Server, container: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_KEY")
    told = f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={azurite.endpoint}"
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", told)
    carry(AzureStore(f"az://{container}/1", patience=HASTY), {"a": b"1"})
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    until = datetime.now(UTC) + timedelta(hours=1)
    for rights, number in (("rwdlac", 2), ("rl", 3)):
        signature = generate_account_sas(ACCOUNT, KEY, "sco", rights, until)
        monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", signature)
        store = azurite.store(container, str(number))
        with staging_of(store) as staging:
            put_in(staging, "a", b"1")
            result = staging.publish({"a": None})["a"]
        assert isinstance(result, Denied) if rights == "rl" else content_of(store, "a") == b"1"
    monkeypatch.delenv("AZURE_STORAGE_SAS_TOKEN")
    with pytest.raises(ConfigurationError, match="AZURE_STORAGE_ACCOUNT"):
        AzureStore(f"az://{container}").volume()
    with pytest.raises(StoreGone):
        azurite.store(container, "4", anonymous="true").volume()


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("az://user:CANARY-7f3@container", {}),
        ("az://container/x?sig=CANARY-7f3", {}),
        ("az://No_Such_Name", {}),
        ("az://ab", {}),
        ("az://container/a//b", {}),
        ("az://container", {"endpoint": "https://u:CANARY-7f3@host"}),
        ("az://container", {"endpoint": "https://host/?sig=CANARY-7f3"}),
        ("az://container", {"account": "Not-An-Account"}),
        ("az://container", {"colour": "red"}),
        ("az://container", {"storage_class": "lukewarm"}),
    ],
)
def test_nonsense_is_refused_before_anything_is_asked(url: str, options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AzureStore(url, options=options)
    assert "CANARY" not in str(caught.value)


def test_a_missing_container_is_not_found_and_never_made(azurite: Server) -> None:
    store = azurite.store("test-not-there")
    for verb in (store.volume, store.make, lambda: list(store.list())):
        with pytest.raises(NotFound, match="no such container"):
            verb()


def test_a_server_that_is_not_there_is_gone(container: str) -> None:
    options = {"endpoint": f"http://127.0.0.1:{free_port()}/{ACCOUNT}", "account": ACCOUNT}
    with pytest.raises(StoreGone, match="cannot be reached"):
        AzureStore(f"az://{container}", options=options, patience=HASTY).volume()


def test_a_server_that_dies_in_an_upload_is_gone(tmp_path: Path) -> None:
    serving = served(program(), tmp_path)
    server = next(serving)
    store = server.store(server.bucket(), **IN_BLOCKS)
    with staging_of(store) as staging:
        sink = staging.open("run/large", entry_for("run/large", LARGE))
        sink.write(LARGE[: 600 << 10])
        server.process.kill()
        server.process.wait()
        with pytest.raises((StoreGone, Unreliable)):
            for _ in range(4):
                sink.write(LARGE)
            sink.close()
        sink.abort()
    serving.close()


@pytest.mark.parametrize("options", [{}, IN_BLOCKS], ids=["whole", "blocks"])
@pytest.mark.parametrize(
    "meddle",
    [
        first("lose", is_put),
        first("lose", is_block, times=3),
        first("lose", is_list),
        first("busy", lambda method, path: True, times=3),
        first("busy", lambda method, path: is_put(method, path) or is_list(method, path), times=2),
        first("lose", lambda method, path: method in {"GET", "HEAD"}, times=3),
        first("halve", lambda method, path: method == "GET" and "comp=list" not in path, times=2),
        first("flip", is_put),
        first("flip", is_block, times=2),
    ],
    ids=["put", "blocks", "list", "busy", "busy-put", "looks", "download-cut", "put-damaged", "block-damaged"],
)
def test_what_passes_by_is_borne(azurite: Server, container: str, meddle: Meddle, options: dict[str, str]) -> None:
    """A lost reply is recognised, and what was damaged on the way is refused by the server and sent again."""
    with between(azurite.endpoint, meddle) as proxy:
        store = through(proxy, container, **options)
        carry(store, {"run/a": LARGE, "run/b": b"small"})
        assert content_of(store, "run/a") == LARGE
        assert everything(store) == ["run/a", "run/b"]
        assert azurite.keys(container) == ["run/a", "run/b"]


def test_a_server_that_stays_busy_is_given_up_and_nothing_is_there(azurite: Server, container: str) -> None:
    with between(azurite.endpoint, lambda method, path: "busy") as proxy:
        store = through(proxy, container)
        with staging_of(store) as staging:
            put_in(staging, "a", b"1")
            result = staging.publish({"a": None})["a"]
        assert isinstance(result, StoreGone)
    assert azurite.keys(container) == []


@pytest.mark.parametrize("options", [{}, {"whole_size": "0"}], ids=["whole", "blocks"])
def test_a_large_body_may_take_longer_than_the_patience_while_it_makes_progress(
    azurite: Server, container: str, options: dict[str, str]
) -> None:
    """The time limit of a socket is for all that it is given at once."""
    with between(azurite.endpoint, slow_bytes_s=1_200_000) as proxy:
        where = {"endpoint": f"http://{proxy.netloc}/{ACCOUNT}", "account": ACCOUNT, **options}
        store = AzureStore(f"az://{container}", options=where, patience=hurried(HASTY, tries=1, connect_s=4, read_s=4))
        carry(store, {"a": SLOW})
    assert content_of(azurite.store(container), "a") == SLOW


def test_a_listing_whose_page_is_cut_short_is_asked_for_again_or_an_error(azurite: Server, container: str) -> None:
    """What is not listed would be taken for absent; the length of the answer fits what came."""
    carry(azurite.store(container), {f"file{number}": b"1" for number in range(5)})
    with between(azurite.endpoint, first("shorten", lambda method, path: "comp=list" in path)) as proxy:
        store = through(proxy, container)
        assert len(everything(store)) == 5
        proxy.meddle = lambda method, path: "shorten"
        with pytest.raises(StoreError):
            list(store.list())


def test_finding_out_what_the_server_can_leaves_nothing(azurite: Server, container: str) -> None:
    store = azurite.store(container)
    assert [store._bucket.abilities("", large=large) for large in (False, True)] == [(True, "md5")] * 2
    assert azurite.keys(container, include=["uncommittedblobs"]) == [] or not azurite.keys(container)


# --- what else can stand there ---------------------------------------------------------------------------------------


def test_page_and_append_blobs_are_read_and_never_replaced_by_others(azurite: Server, container: str) -> None:
    azurite.put(container, "page", bytes(512), blob_type="PageBlob")
    azurite.put(container, "append", b"log", blob_type="AppendBlob")
    store = azurite.store(container)
    assert everything(store) == ["append", "page"]
    assert content_of(store, "append") == b"log"
    with staging_of(store) as staging:
        put_in(staging, "append", b"ours")
        assert isinstance(refused(staging.publish({"append": None})["append"]), Occupied)


def test_folders_of_accounts_that_have_true_ones_are_no_files(azurite: Server, container: str) -> None:
    azurite.put(container, "run", b"", metadata={"hdi_isfolder": "true"})
    azurite.put(container, "run/a", b"1")
    store = azurite.store(container)
    assert everything(store) == ["run/a"]
    with pytest.raises(NotAFile):
        store.stat("run")


def test_a_lease_keeps_a_blob_as_it_is_and_the_reason_is_said(azurite: Server, container: str) -> None:
    store = azurite.store(container)
    seen = carry(store, {"a": b"1"})["a"]
    lease: Any = azurite.client.get_blob_client(container, "a").acquire_lease()
    assert "a lease lies on this blob" in refused(replace(store, "a", b"2", seen)).reason
    with pytest.raises(Denied, match="lease"):
        store.delete("a")
    lease.release()
    assert content_of(store, "a") == b"1"


def test_the_tier_is_that_of_the_data_and_never_of_our_own_files(azurite: Server, container: str) -> None:
    store = azurite.store(container, storage_class="cool")
    carry(store, {"a": b"1", "large": LARGE * 9, ".coldchain/x": b"2"})
    tiers = {blob.name: blob.blob_tier for blob in azurite.client.get_container_client(container).list_blobs()}
    assert tiers == {".coldchain/x": "Hot", "a": "Cool", "large": "Cool"}
    found = azurite.client.get_blob_client(container, "large").get_blob_properties()
    assert found.metadata["mtime"] == "1600000000.000000000"
    assert found.content_settings.content_md5


def test_what_lies_in_the_archive_is_no_file_and_the_next_step_is_named(azurite: Server, container: str) -> None:
    azurite.put(container, "a", b"1", standard_blob_tier=StandardBlobTier.ARCHIVE)
    store = azurite.store(container)
    assert everything(store) == ["a"]
    with pytest.raises(NotAFile, match="rehydrated"):
        store.read("a")


@pytest.mark.parametrize("name", ["dot.", "folder./x", "back\\", "\x01", "x" * 1025, "/".join("x" * 255)])
def test_names_that_azure_may_change_are_refused(azurite: Server, container: str, name: str) -> None:
    store = azurite.store(container)
    with staging_of(store) as staging, pytest.raises(NameRefused):
        staging.open(name, entry_for(name, b"x"))
