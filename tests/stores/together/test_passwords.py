"""Does a password that stands in a URL stay there, whatever is done and wherever one looks?"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from coldchain.errors import StoreError
from coldchain.model import Secret
from coldchain.stores.s3.store import S3Store
from coldchain.testing.oracle import read_tree
from tests.stores.fsspec.conftest import CANARY, Served
from tests.stores.s3.serving import HASTY, KEY
from tests.stores.s3.serving import SECRET as OF_S3
from tests.stores.s3.serving import Server as Buckets
from tests.stores.sftp.failing import PASSWORD as OF_SSH
from tests.stores.sftp.failing import Server as Ssh
from tests.stores.smb.serving import PASSWORD as OF_SMB
from tests.stores.smb.serving import Server as Samba
from tests.stores.together.test_together import FILES, Site, Watch

CANARIES = {secret for plain in (OF_SSH, OF_SMB, OF_S3, CANARY) for secret in (plain, quote(plain, safe=""))}


@pytest.fixture
def ssh(tmp_path: Path) -> Iterator[Ssh]:
    folder = tmp_path / "ssh-server"
    folder.mkdir()
    server = Ssh(folder)
    yield server
    server.stop()


@pytest.fixture
def site(tmp_path: Path, samba: Samba, ssh: Ssh, webdav: Served, weed: Buckets) -> Iterator[Site]:
    """Four places, with nothing in the environment but who looks for them."""
    site = Site(tmp_path / "site")
    for name in [name for name in site.env if "PASSWORD" in name or name.startswith("AWS_")]:
        del site.env[name]
    bucket = weed.bucket()
    share = samba.place(f"passwords-{os.getpid()}-{time.monotonic_ns()}")
    dav = webdav.folder / share.name
    dav.mkdir()
    (tmp_path / "ssh").mkdir()
    site.tables = {
        "smb": [f"url = '{with_password(samba.url(share.name), OF_SMB)}'"],
        "sftp": [f"url = '{with_password(ssh.url(tmp_path / 'ssh'), OF_SSH)}'", f"known_hosts = '{ssh.known_hosts}'"],
        "s3": [
            f"url = 's3://{KEY}:{quote(OF_S3, safe='')}@{bucket}/lab'",
            f"endpoint = '{weed.endpoint}'",
            "region = 'us-east-1'",
        ],
        "dav": [f"url = 'webdav://lab:{CANARY}@127.0.0.1:{webdav.port}/{dav.name}'"],
    }
    for path, content in FILES.items():
        file = tmp_path / "source" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    yield site
    weed.remove(bucket)
    for folder in (share, dav):
        shutil.rmtree(folder, ignore_errors=True)


def with_password(url: str, password: str) -> str:
    return url.replace("@", f":{quote(password, safe='')}@", 1)


def private(site: Site, source: str, *names: str) -> None:
    site.configure(source, *names)
    (site.folder / "coldchain.toml").chmod(0o600)


def test_p14_a_password_in_a_url_opens_the_place_and_is_told_nowhere(site: Site, tmp_path: Path) -> None:
    source = tmp_path / "source"
    private(site, repr(str(source)), *site.tables)
    watch = Watch()
    watch.start()
    said = site.type("init")
    assert "[destinations.smb] url: holds a password" in said
    assert 'credentials = "env:NAME"' in said
    assert "[destinations.s3] url: holds a password; the environment" in said
    site.type("doctor", code=None)
    site.type("plan")
    site.type("plan", "--json")
    assert '"verified": {"files": 3' in site.type("run", "--json")
    site.type("list", "--long")
    site.type("list", "--json", code=None)
    site.type("why", "plate/a.tif", code=None)
    site.type("check")
    site.type("check", "--json", code=None)
    site.type("report", "1")
    site.type("report", "1", "--json")
    for name in site.tables:
        back = tmp_path / "back" / name
        site.type("restore", "j", "plate", "--to", str(back), "--set", f"jobs.j.destinations=['{name}']")
        assert read_tree(back) == read_tree(source)
    right = dict(site.tables)
    site.tables = {name: [table[0].replace("@", "x@"), *table[1:]] for name, table in right.items()}
    private(site, repr(str(source)), *site.tables)
    site.type("run", code=3)
    watch.over.set()
    watch.join()
    places = [tmp_path / "ssh", *(file for file in site.folder.iterdir() if file.name != "coldchain.toml")]
    written = [file for top in places for file in ([top] if top.is_file() else top.rglob("*")) if file.is_file()]
    assert any(file.name == "ledger.sqlite" for file in written)
    for canary in CANARIES:
        assert not [text for text in site.said if canary in text]
        assert not [line for line in watch.seen if canary.encode() in line]
        assert not [file for file in written if canary.encode() in file.read_bytes()]


def test_p14_a_source_with_a_password_in_its_url_is_read(site: Site, tmp_path: Path) -> None:
    (tmp_path / "end").mkdir()
    for path, content in FILES.items():
        file = tmp_path / "ssh" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    table = "{ " + ", ".join(site.tables["sftp"]) + " }"
    site.tables = {"near": [f"url = {str(tmp_path / 'end')!r}"]}
    private(site, table, "near")
    assert "holds a password" in site.type("init")
    site.type("run")
    assert read_tree(tmp_path / "end" / "plate") == read_tree(tmp_path / "ssh" / "plate")
    assert not [text for text in site.said for canary in CANARIES if canary in text]


def test_p14_a_configuration_that_others_can_read_is_refused_before_anything_is_done(
    site: Site, tmp_path: Path
) -> None:
    private(site, repr(str(tmp_path / "source")), *site.tables)
    (site.folder / "coldchain.toml").chmod(0o644)
    said = site.type("run", code=2)
    assert "holds a password, and others can read this file" in said
    assert not [canary for canary in CANARIES if canary in said]


def test_p14_the_connection_to_a_bucket_is_not_lent_to_one_who_has_another_key(weed: Buckets) -> None:
    bucket = weed.bucket()
    right, wrong = (
        S3Store(f"s3://{bucket}", options=weed.options(), patience=HASTY, secret=Secret(f"{KEY}:{value}"))
        for value in (OF_S3, "canary-of-nobody")
    )
    assert right.volume()
    with pytest.raises(StoreError) as refused:
        wrong.volume()
    assert "canary" not in str(refused.value)
    assert right.volume()
    weed.remove(bucket)
