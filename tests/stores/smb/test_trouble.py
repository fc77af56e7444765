"""Does what goes wrong end in one sentence, the right class of error, and nothing half-written?"""

from __future__ import annotations

import subprocess

import pytest

from coldchain.errors import (
    BusyWriting,
    Denied,
    NameRefused,
    NotAFile,
    NotFound,
    Occupied,
    StoreError,
    StoreFull,
    Unreliable,
)
from coldchain.model import Oddity
from coldchain.stores.smb import messages as m
from coldchain.stores.smb.share import WRITING
from coldchain.stores.smb.staging import SmbStaging
from coldchain.stores.smb.trouble import translate
from coldchain.testing.contract.acts import (
    carry,
    entry_for,
    everything,
    put_in,
    some_bytes,
    staging_of,
)
from tests.stores.smb.serving import Server

MIB = 1 << 20


# --- rights, room, locks ---


def test_a_share_for_reading_only_is_denied(samba: Server) -> None:
    root = samba.place("readonly")
    store = samba.store("readonly", share="ro")
    with staging_of(store) as staging:
        put_in(staging, "a", b"x")
        staging.flush()
        error = staging.publish({"a": None})["a"]
    assert isinstance(error, Denied)
    with pytest.raises(Denied):
        store.probe_names()
    assert list(root.iterdir()) == []


def test_a_folder_without_rights_is_an_oddity(samba: Server) -> None:
    root = samba.place("rights")
    (root / "shut").mkdir(mode=0o700)
    (root / "file").write_bytes(b"x")
    store = samba.store("rights")
    found = list(store.list())
    assert [item.path for item in found] == ["file", "shut/"]
    assert isinstance(found[1], Oddity)
    assert found[1].what == "unreadable"


def test_a_full_share_is_out_of_the_run(own_samba: Server) -> None:
    small = own_samba.folder / "small"
    user = own_samba.share.stat().st_uid
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=8m,uid={user}", "none", small], check=True)
    try:
        store = own_samba.store(share="small")
        room = store.free_bytes()
        assert room is not None and room <= 8 * MIB
        with staging_of(store) as staging:
            with pytest.raises(StoreFull):
                put_in(staging, "large", some_bytes(12 * MIB))
            for number in range(80):
                try:
                    put_in(staging, f"small{number}", some_bytes(60_000))
                except StoreFull:
                    break
            put_in_full(staging)
        assert everything(store) == []
    finally:
        own_samba.stop()
        subprocess.run(["umount", "-l", small], check=True)


def put_in_full(staging: object) -> None:
    """Fill the rest with small files, of which the last do not fit."""
    assert isinstance(staging, SmbStaging)
    with pytest.raises(StoreFull):
        for number in range(200):
            put_in(staging, f"more{number}", some_bytes(60_000))
        staging.flush()
        error = staging.publish({"more199": None})["more199"]
        assert isinstance(error, StoreError)
        raise error


def test_a_file_that_somebody_holds_alone_is_busy(samba: Server) -> None:
    samba.place("held")
    store = samba.store("held", ask_writers="yes")
    carry(store, {"a": b"x"})
    line = store._share.line(WRITING)
    name = store._share.name("a")
    alone = line.send(m.create(name, m.WRITE_DATA, m.OPEN, m.FILE, 0)).answers()[0]
    assert alone.status == 0
    with pytest.raises(BusyWriting):
        store.read("a")
    assert "being written" in store.busy("a")
    line.send(m.close(m.opened(alone.body))).answers()
    assert store.busy("a") == ""


def test_who_writes_is_only_asked_where_the_configuration_says_so(samba: Server) -> None:
    """P18: and a writer that lets others read is never in our way, nor we in its."""
    samba.place("asked")
    store, asking = samba.store("asked"), samba.store("asked", ask_writers="yes")
    carry(store, {"a": b"x"})
    line = store._share.line(WRITING)
    writer = line.send(m.create(store._share.name("a"), m.WRITE_DATA, m.OPEN, m.FILE)).answers()[0]
    with store.read("a") as reader, asking.read("a") as other:
        assert (reader.being_written(), other.being_written()) == (False, True)
    assert (store.busy("a"), bool(asking.busy("a"))) == ("", True)
    with store.read("a"):
        assert (
            line.send(m.create(store._share.name("a"), m.WRITE_DATA | m.DELETE, m.OPEN, m.FILE), m.close())
            .answers()[0]
            .status
            == 0
        )
    line.send(m.close(m.opened(writer.body))).answers()


# --- names, links ---


@pytest.mark.parametrize("key", ["a:stream", "back\\slash", "nul\0"])
def test_what_would_lead_elsewhere_is_never_sent(samba: Server, key: str) -> None:
    store = samba.store()
    with staging_of(store) as staging, pytest.raises(NameRefused):
        staging.open(key, entry_for(key, b""))
    with pytest.raises(NotFound):
        store.stat(key)


def test_the_probe_says_what_samba_does(samba: Server) -> None:
    samba.place("probed")
    rules = samba.store("probed").probe_names()
    assert rules.folds_case
    assert set(rules.forbidden) >= set(':\\"*<>?|')
    assert (rules.name_limit, rules.limit_unit, rules.invalid_utf8) == (255, "bytes", False)


def test_a_server_s_error_is_translated_by_its_status() -> None:
    kinds = {0xC000007F: StoreFull, 0xC0000022: Denied, 0xC0000035: Occupied, 0xC0000043: BusyWriting}
    for status, kind in (kinds | {0xC0000034: NotFound, 0xC00000BA: NotAFile, 0xDEADBEEF: Unreliable}).items():
        assert type(translate(status, url="smb://x/y", key="k")) is kind
