"""``coldchain restore`` at the command line."""

from __future__ import annotations

from tests.cli.conftest import Desk


def test_a_dataset_comes_back_as_it_was(stored: Desk) -> None:
    ended = stored.type("restore", "rig", "one", "--to", "back")
    assert ended.code == 0
    assert "all equal" in ended.out
    for name in ("0.tif", "1.tif"):
        assert (stored.folder / "back" / "one" / name).read_bytes() == (stored.source / "one" / name).read_bytes()


def test_patterns_choose_files(stored: Desk) -> None:
    assert stored.type("restore", "rig", "one", "0.*", "--to", "back").code == 0
    assert [path.name for path in (stored.folder / "back" / "one").iterdir()] == ["0.tif"]


def test_another_file_in_the_way_is_left_alone(stored: Desk) -> None:
    there = stored.folder / "back" / "one"
    there.mkdir(parents=True)
    (there / "0.tif").write_bytes(b"mine")
    ended = stored.type("restore", "rig", "one", "--to", "back")
    assert ended.code == 3
    assert "one/0.tif" in ended.out
    assert (there / "0.tif").read_bytes() == b"mine"
    assert stored.type("restore", "rig", "one", "--to", "back", "--overwrite").code == 0


def test_a_file_is_no_folder_to_restore_into(stored: Desk) -> None:
    (stored.folder / "file").write_bytes(b"mine")
    assert "is a file; name a folder" in stored.type("restore", "rig", "one", "--to", "file").err
    ended = stored.type("restore", "rig", "one", "--to", "file/below")
    assert ended.code == 3
    assert "below" in ended.err
    assert (stored.folder / "file").read_bytes() == b"mine"


def test_what_is_not_there_is_named_and_ends_with_2(stored: Desk) -> None:
    for words, said in (
        (("rig", "three"), "It knows: one, two"),
        (("rigg", "one"), "did you mean 'rig'?"),
        (("rig", "one", "*.czi"), "no stored file of one fits *.czi"),
        (("rig", "one", "--from", "far"), "there are: near"),
    ):
        ended = stored.type("restore", *words, "--to", "back")
        assert ended.code == 2
        assert said in ended.err
