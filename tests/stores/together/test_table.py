"""Does the table of what each kind can prove, keep and resume say what the code does?"""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from coldchain.stores.azure.store import AzureStore
from coldchain.stores.base import Store, Traits
from coldchain.stores.fsspec.store import FsspecStore
from coldchain.stores.gcs.store import GcsStore
from coldchain.stores.local.store import LocalStore
from coldchain.stores.s3.store import S3Store
from coldchain.stores.sftp.store import SftpStore
from coldchain.stores.smb.store import SmbStore

PAGE = Path(__file__).resolve().parents[3] / "docs/stores/index.md"
KINDS = ["local", "s3", "gs", "az", "sftp", "smb", "rclone", "fsspec"]


def table() -> dict[str, dict[str, str]]:
    """By row and kind."""
    rows = [line.strip().strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    head = next(number for number, row in enumerate(rows) if [cell.strip() for cell in row][1:] == KINDS)
    body = [row for row in rows[head + 1 :] if len(row) == len(KINDS) + 1]
    return {row[0].strip(): dict(zip(KINDS, (cell.strip() for cell in row[1:]), strict=True)) for row in body}


@pytest.fixture
def stores(tmp_path: Path) -> dict[str, Store]:
    """One of each kind whose traits nobody needs to be asked for."""
    return {
        "local": LocalStore(str(tmp_path)),
        "s3": S3Store("s3://bucket/x"),
        "gs": GcsStore("gs://bucket/x"),
        "az": AzureStore("az://container/x", options={"account": "lab"}),
        "sftp": SftpStore("sftp://host/x"),
        "smb": SmbStore("smb://host/share"),
        "fsspec": FsspecStore("webdav://host/x"),
    }


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "rclone"])
def test_the_table_says_what_the_traits_say(stores: dict[str, Store], kind: str) -> None:
    traits: Traits = stores[kind].traits
    rows = {row: cells[kind] for row, cells in table().items()}
    vouched = rows["proof by a checksum of the store"]
    assert bool(traits.vouches) == (vouched != "no"), (traits.vouches, vouched)
    assert all(algorithm in vouched for algorithm in traits.vouches), (traits.vouches, vouched)
    assert traits.keeps_mtime == rows["keeps the time of the source"].startswith("yes")
    before = rows["proved before the name appears"]
    assert before == "where the file system renames" or traits.proves_published == before.startswith(("no", "as s3"))
    if "seconds" in rows["keeps the time of the source"]:
        assert traits.mtime_step_ns == 1_000_000_000


def test_what_depends_on_the_place_behind_fsspec_does() -> None:
    renaming = FsspecStore("webdav://host/x").traits
    other = FsspecStore(f"fsspec+memory://{uuid.uuid4()}").traits
    assert (renaming.proves_published, other.proves_published) == (False, True)


def test_every_kind_has_a_cell_in_every_row() -> None:
    rows = table()
    assert len(rows) == 12
    assert not [(row, kind) for row, cells in rows.items() for kind, cell in cells.items() if not cell]
