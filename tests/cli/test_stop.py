"""Is a watcher found by whatever a person calls it, and is it said when there is none?"""

from __future__ import annotations

import pytest

from tests.cli.conftest import Desk


@pytest.mark.parametrize("word", ["rig", "source", "./source", "near", "ne*"])
def test_what_does_not_run_is_no_success(stored: Desk, word: str) -> None:
    ended = stored.type("stop", word)
    assert ended.code == 6
    assert "rig is not watched" in ended.err


def test_a_job_that_nobody_knows_is_a_slip(stored: Desk) -> None:
    ended = stored.type("stop", "rigg")
    assert ended.code == 2
    assert "did you mean" in ended.err


def test_a_folder_is_one_of_where_the_person_is(stored: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(stored.source / "one")
    config = str(stored.folder / "coldchain.toml")
    assert stored.type("stop", "--config", config, "..").code == 6
    assert stored.type("stop", "--config", config, "source").code == 2


def test_a_running_one_ends_by_its_source_folder(stored: Desk) -> None:
    assert stored.type("start").code == 0
    ended = stored.type("stop", "source")
    assert (ended.code, ended.out) == (0, "rig: stopped\n")
    assert stored.type("stop").code == 6
