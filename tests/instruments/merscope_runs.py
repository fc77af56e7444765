"""What do the tests of MERSCOPE share: a played run, a copy of the real one, and a judge for a folder?"""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Job
from coldchain.instruments.merscope import INSTRUMENT
from coldchain.model import REST, Place
from coldchain.operate.examine import Examined, examine
from coldchain.stores.base import open_store
from coldchain.verdict import Verdict
from tests.simulate.playing import options, play_named

REAL = "202205231554_MouseSagittalM3S1_VMSC01101"
OTHER = "202310261058_VZGEN1_with_more_VMSC10202"
WRITTEN = datetime(2024, 5, 7, 12, tzinfo=UTC)
"""When every file of these tests was last written, unless a test says otherwise."""
SOON, LATER = WRITTEN + timedelta(minutes=30), WRITTEN + timedelta(days=2)


def job(*, parts: tuple[str, ...] = (), personal: bool = False, datasets: str = "") -> Job:
    return Job("j", Place("s", "memory://none"), (), "merscope", datasets=datasets, parts=parts, personal=personal)


def examined(folder: Path, now: datetime = LATER, chosen: Job | None = None) -> dict[str, Examined]:
    store = open_store(Place("s", str(folder)))
    return {one.dataset.name: one for one in examine(INSTRUMENT, store, chosen or job(), now)}


def judged(folder: Path, now: datetime = LATER, chosen: Job | None = None) -> Verdict:
    """The verdict on the one run of a folder."""
    (one,) = (one for name, one in examined(folder, now, chosen).items() if name != REST)
    return one.verdict


def date_all(folder: Path, when: datetime = WRITTEN) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (when.timestamp(), when.timestamp()))


def date(path: Path, when: datetime) -> None:
    os.utime(path, (when.timestamp(), when.timestamp()))


def put(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    date(path, WRITTEN)


@pytest.fixture(scope="session")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    play_named("merscope", folder, options(seed=3, scale=0.1))
    date_all(folder)
    return folder


@pytest.fixture
def drive(played: Path, tmp_path: Path) -> Path:
    """A whole run of two fields of view, raw data and output, that a test may damage."""
    shutil.copytree(played, tmp_path / "Z")
    return tmp_path / "Z"


@pytest.fixture
def raw(drive: Path) -> Path:
    (run,) = (drive / "merfish_raw_data").iterdir()
    return run


@pytest.fixture
def region(drive: Path, raw: Path) -> Path:
    return drive / "merfish_output" / raw.name / "region_0"


@pytest.fixture
def real(data: Path, tmp_path: Path) -> Path:
    """A copy of the real run, without Vizgen's test data beside it."""
    for tree in ("merfish_raw_data", "merfish_output"):
        shutil.copytree(data / "merscope" / tree, tmp_path / "real" / tree)
    for path in (tmp_path / "real").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    date_all(tmp_path / "real")
    return tmp_path / "real"
