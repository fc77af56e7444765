"""What must every simulated instrument keep to?"""

from __future__ import annotations

from itertools import islice
from pathlib import Path, PurePosixPath

import pytest

from coldchain.simulate.base import SIMULATORS, open_simulator
from coldchain.simulate.faults import FAULTS
from coldchain.simulate.steps import Append, Close, MakeFolder, Mark, Open, Opening, Pause, Remove, Rename
from tests.simulate.playing import options, play_all, play_named, tree

every_kind = pytest.mark.parametrize("name", sorted(SIMULATORS))


@every_kind
def test_a_simulator_has_its_name_and_one_sentence(name: str) -> None:
    simulator = open_simulator(name)
    assert simulator.name == name
    assert simulator.description.endswith(".")
    assert simulator.description.count(". ") == 0
    assert len(simulator.description) <= 120


@every_kind
def test_the_same_seed_gives_the_same_tree(name: str, tmp_path: Path) -> None:
    play_named(name, tmp_path / "a", options(seed=7))
    play_named(name, tmp_path / "b", options(seed=7))
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


@every_kind
def test_another_seed_gives_other_data_in_every_file(name: str) -> None:
    def data(seed: int) -> set[bytes]:
        contents: dict[str, bytes] = {}
        for step in open_simulator(name).steps(options(seed=seed)):
            if isinstance(step, Open) and step.data:
                contents.setdefault(step.path, b"")
            elif isinstance(step, Append) and step.path in contents:
                contents[step.path] += step.content()
        return set(contents.values()) - {b""}

    assert data(7)
    assert not data(7) & data(8)


@every_kind
def test_content_is_the_same_however_often_and_in_whatever_order_it_is_made(name: str) -> None:
    pieces = [step.content for step in open_simulator(name).steps(options()) if isinstance(step, Append)]
    forwards = [content() for content in pieces]
    assert [content() for content in reversed(pieces)] == forwards[::-1]


@every_kind
def test_a_larger_scale_gives_more_bytes(name: str) -> None:
    def size_bytes(scale: float) -> int:
        steps = open_simulator(name).steps(options(scale=scale))
        return sum(len(step.content()) for step in steps if isinstance(step, Append))

    assert size_bytes(0.05) > 4 * size_bytes(0.001)


@every_kind
def test_a_trial_is_some_200_files_and_64_megabytes(name: str) -> None:
    steps = list(open_simulator(name).steps(options(scale=1.0)))
    assert 150 <= len({step.path for step in steps if isinstance(step, Open | Mark)}) <= 250
    assert 55e6 < sum(len(step.content()) for step in steps if isinstance(step, Append)) < 73e6


@every_kind
def test_steps_fit_together(name: str) -> None:
    """Folders before files; NEW first; grown and closed only while open; everything is closed; some of it is data."""
    folders, files, open_now, data = {PurePosixPath()}, set[str](), set[str](), set[str]()
    for step in open_simulator(name).steps(options()):
        match step:
            case MakeFolder(path):
                folders |= {PurePosixPath(path), *PurePosixPath(path).parents}
            case Open(path, is_data, how):
                assert (how is Opening.NEW) == (path not in files)
                assert PurePosixPath(path).parent in folders
                assert path not in open_now
                files.add(path)
                open_now.add(path)
                data |= {path} if is_data else set()
            case Append(path):
                assert path in open_now
            case Close(path):
                open_now.remove(path)
            case Mark(path):
                assert path not in files
                files.add(path)
            case Rename(path, to):
                assert to not in files
                files.remove(path)
                files.add(to)
            case Remove(path):
                files.remove(path)
            case Pause(seconds):
                assert seconds > 0
    assert not open_now
    assert data


@every_kind
def test_paths_stay_below_the_folder(name: str) -> None:
    for step in open_simulator(name).steps(options()):
        if not isinstance(step, Pause):
            assert not step.path.startswith("/")
            assert not {"", ".", ".."} & set(step.path.split("/"))


@every_kind
@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_fault_can_strike(name: str, fault: str, tmp_path: Path) -> None:
    simulator = open_simulator(name)
    play_all(simulator.steps(options()), tmp_path / "flawless")
    play_all(islice(simulator.steps(options(fault=fault)), 5000), tmp_path / "struck")
    assert tree(tmp_path / "struck") != tree(tmp_path / "flawless")
