"""Servers of several kinds, side by side, and worlds whose place is reached over one link."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.stores.rclone.daemon import running
from coldchain.stores.rclone.where import where
from tests.faults.world import World
from tests.stores.azure.conftest import azurite
from tests.stores.azure.serving import KEY as AZURE_KEY
from tests.stores.azure.serving import Server as Azurite
from tests.stores.fsspec.conftest import CANARY, Served, webdav
from tests.stores.gcs.conftest import gcs
from tests.stores.gcs.serving import Server as Gcs
from tests.stores.rclone.serving import obscured, write_config
from tests.stores.s3.conftest import weed
from tests.stores.s3.serving import KEY, SECRET
from tests.stores.s3.serving import Server as Weed
from tests.stores.sftp.conftest import sshd
from tests.stores.sftp.remote import Remote
from tests.stores.sftp.serving import Sshd
from tests.stores.smb.conftest import samba
from tests.stores.smb.serving import PASSWORD, PREFIX, USER, said
from tests.stores.smb.serving import Server as Samba
from tests.stores.together.brittle import Brittle
from tests.stores.together.worlds import New, objects

__all__ = ["azurite", "gcs", "samba", "sshd", "webdav", "weed"]


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_EC2_METADATA_DISABLED": "true"}
    told |= {f"{PREFIX}_USER": USER, f"{PREFIX}_PASSWORD": PASSWORD, "LAB_USER": "lab", "LAB_PASSWORD": CANARY}
    told |= {"AZURE_STORAGE_KEY": AZURE_KEY, "GCE_METADATA_HOST": "127.0.0.1:9", "NO_GCE_CHECK": "true"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def link() -> Iterator[Brittle]:
    link = Brittle()
    yield link
    link.close()


@pytest.fixture
def over_sftp(sshd: Sshd, link: Brittle, tmp_path: Path) -> New:
    link.lead_to(sshd.port)
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{link.port} {(sshd.folder / 'host.pub').read_text()}")
    near = Sshd(tmp_path / "near", link.port)

    def new(name: str) -> World:
        root = tmp_path / "nas" / name
        return Remote(tmp_path / name, root, near.url(root), sshd.options() | {"known_hosts": str(known)})

    return new


@pytest.fixture
def over_smb(samba: Samba, link: Brittle, tmp_path: Path) -> New:
    link.lead_to(samba.port)
    before = tmp_path.name

    def new(name: str) -> World:
        root = samba.place(f"{before}-{name}")
        url = samba.url(root.name).replace(f":{samba.port}/", f":{link.port}/")
        return Remote(tmp_path / name, root, url, said())

    return new


@pytest.fixture
def over_webdav(webdav: Served, link: Brittle, tmp_path: Path) -> New:
    link.lead_to(webdav.port)
    before = tmp_path.name

    def new(name: str) -> World:
        root = webdav.folder / f"{before}-{name}"
        options = {"credentials": "env:LAB"}
        return Remote(tmp_path / name, root, f"webdav://127.0.0.1:{link.port}/{root.name}", options)

    return new


@pytest.fixture
def over_s3(weed: Weed, link: Brittle, tmp_path: Path) -> Iterator[New]:
    yield from objects(weed, link, "s3", tmp_path)


@pytest.fixture
def over_gs(gcs: Gcs, link: Brittle, tmp_path: Path) -> Iterator[New]:
    yield from objects(gcs, link, "gs", tmp_path)


@pytest.fixture
def over_az(azurite: Azurite, link: Brittle, tmp_path: Path) -> Iterator[New]:
    yield from objects(azurite, link, "az", tmp_path)


@pytest.fixture
def over_rclone(webdav: Served, link: Brittle, tmp_path: Path) -> Iterator[New]:
    """rclone speaks WebDAV."""
    link.lead_to(webdav.port)
    before = tmp_path.name
    values = {"type": "webdav", "vendor": "rclone", "url": f"http://127.0.0.1:{link.port}", "user": "lab"}
    options = {"config": str(write_config(tmp_path / "rclone.conf", {"dav": {**values, "pass": obscured(CANARY)}}))}
    daemon = running(where("rclone://dav", options).manner)

    def new(name: str) -> World:
        root = webdav.folder / f"{before}-{name}"
        return Remote(tmp_path / name, root, f"rclone://dav/{root.name}", options)

    yield new
    daemon.end()
