"""Does whatever name the source holds arrive unchanged (P16)?"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from coldchain.ledger.quoting import unquote_dataset
from coldchain.steps.identify import Writer
from tests.realdata.field import LOSE, Field, make, sent, tree, typed, verified
from tests.realdata.hostile import by_hand, contents, naughty
from tests.realdata.life import arrives, comes_back, is_told, survives_its_ledger


def lives(field: Field, every: int) -> None:
    here = arrives(field)
    is_told(field, list(here)[::every])
    comes_back(field, here, survives_its_ledger(field, here))


def shown(field: Field) -> None:
    """Whatever is printed for people shows every file, and steers no terminal (``Field`` looks at each output)."""
    field.many([["plan"], ["list", "--long"], ["history"], ["report"], ["doctor"], ["check"]])


def test_p16_names_made_by_hand(tmp_path: Path) -> None:
    source = tmp_path / "source"
    make(source, contents(by_hand()))
    field = Field(tmp_path / "field", source, ("{dataset}/{path}",), datasets="whole")
    field("init")
    assert len(field("plan").out.splitlines()) >= len(by_hand())
    shutil.rmtree(field.state)
    lives(field, 1)
    shown(field)


def test_p16_the_big_list_of_naughty_strings(data: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    names = naughty(data)
    assert len(names) == 329
    make(source, contents(names))
    shutil.copytree(data / "names" / "weird-file-names", source / "weird-file-names", copy_function=shutil.copy2)
    field = Field(tmp_path / "field", source, ("x/{job}/{path}",), datasets="whole")
    lives(field, 4)
    shown(field)


def test_p16_a_file_that_is_called_as_coldchains_own_temporary_files_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "source"
    own = b".~" + Writer("job", platform.node()).owner.encode() + b"-00112233.coldchain"
    make(source, contents([b"a", own, b"deep/" + own]))
    field = Field(tmp_path / "field", source)
    field("init")
    report = field.run(code=3)
    troubles = [trouble for dataset in report["datasets"] for trouble in dataset["troubles"]]
    assert {trouble["path"] for trouble in troubles} == {typed(own), "deep/" + typed(own)}
    assert {trouble["state"] for trouble in troubles} == {"refused"}
    assert tree(field.places["place1"]).keys() == {b"a"}


def test_p16_thousands_of_files_in_one_folder(tmp_path: Path) -> None:
    source = tmp_path / "source"
    make(source, contents([b"run/frame_%d.tif" % number for number in range(2000)]))
    field = Field(tmp_path / "field", source)
    here = arrives(field)
    assert sent(field.run()) == 0
    comes_back(field, here, ["run"])


def test_p16_coldchains_own_folder_at_the_top_of_a_source_is_no_data(tmp_path: Path) -> None:
    source = tmp_path / "source"
    own = [b".coldchain/destination.json", b".coldchain/manifests/job/x.json"]
    make(source, contents([b"a/x", b"a/.coldchain/x", *own]))
    field = Field(tmp_path / "field", source)
    field("init")
    assert field.run()["files"] == 2
    assert tree(field.places["place1"]).keys() == {b"a/x", b"a/.coldchain/x"}


@pytest.mark.parametrize("name", [b".COLDCHAIN", b".coldchain"])
def test_p16_what_looks_like_coldchains_own_folder_is_refused_by_name(tmp_path: Path, name: bytes) -> None:
    source = tmp_path / "source"
    odd = name if name.islower() else name + b"/x"
    make(source, contents([b"a", odd]))
    field = Field(tmp_path / "field", source)
    field("init")
    report = field.run(code=3)
    (trouble,) = (trouble for dataset in report["datasets"] for trouble in dataset["troubles"])
    assert (trouble["path"], trouble["state"]) == (typed(odd), "refused")
    assert tree(field.places["place1"]).keys() == {b"a"}


def test_p16_a_path_beyond_4096_bytes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    make(source, contents([b"near/x"]))
    folders = [b"%02d" % number + b"d" * 200 for number in range(24)]
    descriptor = os.open(source, os.O_RDONLY)
    for folder in folders:
        os.mkdir(folder, dir_fd=descriptor)
        below = os.open(folder, os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    with open(os.open(b"deep.tif", os.O_WRONLY | os.O_CREAT, dir_fd=descriptor), "wb") as file:
        file.write(b"deep")
    os.close(descriptor)
    path = b"/".join([*folders, b"deep.tif"])
    assert len(path) > 4096
    here = tree(source)
    assert here.keys() == {b"near/x", path}
    field = Field(tmp_path / "field", source, datasets="whole")
    field("init")
    assert verified(field.run(), "place1") == 2
    run, check, _, rebuilt, why, back = field.many(
        [
            *[["run", "--json"], ["check", "--json"], [LOSE, str(field.state)], ["rebuild", "--json"]],
            *[["why", "--json", typed(path)], ["restore", "job", ".", "--to", str(field.folder / "back")]],
        ]
    )
    assert (sent(run.report()), check.json()[-1]["good"]["files"], rebuilt.json()[-1]["rebuilt"]["files"]) == (0, 2, 2)
    assert why.json()[-1]["path"] == typed(path)
    assert "all equal" in back.out
    for place in (field.places["place1"], field.folder / "back"):
        assert {key: seen.kept for key, seen in tree(place).items()} == {key: seen.kept for key, seen in here.items()}
    # sha256sum knows no path of this length: it says so of this one, and of no other
    (sums,) = field.manifests("place1", "sha256")
    done = subprocess.run(
        ["sha256sum", "--check", "--quiet", sums], cwd=field.places["place1"], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"near" not in done.stdout + done.stderr


def test_p16_datasets_with_odd_names(data: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    odd = [name for name in [*by_hand(), *naughty(data)[::20]] if b"/" not in name and name.lower() != b".coldchain"]
    odd = list(dict.fromkeys(odd))
    make(source, contents([name + b"/in \xff.tif" for name in odd]))
    field = Field(tmp_path / "field", source, ("{dataset}/{path}",))
    here = arrives(field)
    (listed,) = field.many([["list", "--json"]])
    assert {row["dataset"] for row in listed.json()} == {typed(name) for name in odd}
    some = odd[::10]
    commands = [["run", "--json", "--dataset", typed(name)] for name in some]
    commands += [["check", "--json", "--dataset", typed(name)] for name in some]
    told = field.many(commands)
    assert all(one.json()[-1]["files"] == 1 for one in told[: len(some)])
    assert all(one.json()[-1]["good"]["files"] == 1 for one in told[len(some) :])
    names = [file.name for ending in ("json", "sha256") for file in field.manifests("place1", ending)]
    assert len(names) == 2 * len(odd)
    assert all(re.fullmatch(r"[A-Za-z0-9._%~-]{1,255}", name) and not name.startswith(".") for name in names)
    assert {unquote_dataset(Path(name).stem) for name in names} - {None} <= {typed(name) for name in odd}
    comes_back(field, here, [typed(name) for name in odd])
