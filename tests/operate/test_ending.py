"""Does what follows a run say how it ended, and change nothing of that?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from coldchain.config.values import Config
from coldchain.errors import ColdchainError, LedgerAbsent, LedgerDamaged, SourceAbsent
from coldchain.model import Tally
from coldchain.operate.ending import Ending, run_and_tell, tell_of_no_run
from coldchain.operate.opening import Wish
from coldchain.steps.identify import Consent
from coldchain.steps.report import Report
from tests.operate.scope import START, Bench, install

UNHEARD = "the ping after this run of j was not heard: it is no http or https URL"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """A job that pings an address of which nothing can be made, so that each ping is a note."""
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    made = Bench("nas", ping="nonsense:x")
    made.write("p1/a")
    yield made
    made.close()


def follow(bench: Bench, tmp_path: Path, config: Config | None = None, *, watched: bool = False) -> Report:
    config = config or Config(tmp_path / "coldchain.toml", tmp_path / "state", "", {"j": bench.job})
    wish = Wish(Consent(init=True))
    return run_and_tell(config, bench.job, bench.ledger, wish, bench.around(), watched=watched)


def test_p13_an_ending_has_the_exit_code_of_the_run_or_of_what_stopped_it(bench: Bench) -> None:
    report = Report("j", "/bench", ("nas",), frozenset({"nas"}), START)
    error = LedgerDamaged("torn")
    assert Ending(bench.job, "run", START, START, report).exit_code == report.exit_code == 6
    assert Ending(bench.job, "run", START, START, error=error).exit_code == LedgerDamaged.exit_code
    assert LedgerDamaged.exit_code not in {0, 6}
    assert Ending(bench.job, "run", START, START).exit_code == 0, "nothing is known to be wrong"
    report.begin("p1", Tally(1, 1), {"nas": Tally(1, 1)})
    assert Ending(bench.job, "run", START, START, report).exit_code == 0


@pytest.mark.parametrize("watched", [False, True])
def test_p13_a_run_that_went_well_is_followed_by_what_should_follow_it(
    bench: Bench, tmp_path: Path, *, watched: bool
) -> None:
    report = follow(bench, tmp_path, watched=watched)
    assert (report.exit_code, bench.held("nas")) == (0, ["p1/a"])
    assert bench.monitor.notes == [UNHEARD]


def test_p13_what_stopped_a_run_is_told_and_raised(bench: Bench, tmp_path: Path) -> None:
    assert follow(bench, tmp_path).exit_code == 0
    bench.source.delete("p1/a")
    bench.monitor.notes.clear()
    with pytest.raises(SourceAbsent):
        follow(bench, tmp_path)
    assert bench.monitor.notes == [UNHEARD]


def test_p13_a_bug_in_what_follows_is_a_note_and_the_run_ended_as_it_did(bench: Bench, tmp_path: Path) -> None:
    report = follow(bench, tmp_path, cast("Config", object()))
    assert report.exit_code == 0
    assert bench.monitor.notes == [
        "what should follow the run went wrong (AttributeError); the run itself did not",
    ]


def test_p13_a_run_that_could_not_begin_is_followed_too(bench: Bench, tmp_path: Path) -> None:
    error: ColdchainError = LedgerAbsent("it is not there")
    config = Config(tmp_path / "coldchain.toml", tmp_path / "state", "", {"j": bench.job})
    tell_of_no_run(config, bench.job, Wish(), error, bench.around())
    assert bench.monitor.notes == [UNHEARD]
