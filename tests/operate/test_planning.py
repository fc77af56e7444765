"""Is a run planned for what was asked of it, and stopped before its first byte when something is wrong?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from coldchain.config.values import Brake
from coldchain.errors import (
    ConfigurationError,
    Denied,
    Interrupted,
    NotFound,
    NothingSelected,
    SourceAbsent,
    StoreError,
    StoreGone,
    SuspiciousChange,
    UsageError,
)
from coldchain.model import Hold, Manner, Oddity, Refuse, Send, Tally
from coldchain.operate.opening import Opened, Wish, opened
from coldchain.operate.planning import make_draft
from coldchain.steps.begun import note
from coldchain.steps.draft import Draft
from coldchain.steps.identify import Consent
from coldchain.stores.names import NameRules
from coldchain.testing import FaultyStore, MemoryStore
from coldchain.verdict import Condition
from tests.operate.scope import Bench, install, troubles


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Two plates, carried to two destinations."""
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    made = Bench()
    made.write("p1/a", "p1/b", "p2/a")
    assert made.run().exit_code == 0
    yield made
    made.close()


@contextmanager
def opened_job(bench: Bench) -> Iterator[Opened]:
    with opened(bench.job, bench.ledger, Wish(), bench.around()) as found:
        yield found


def planned(bench: Bench, wish: Wish = Wish()) -> tuple[list[str], Draft]:  # noqa: B008 - frozen
    """What is to be done with which path, in order: "send p1/a: nas usb"."""
    with opened_job(bench) as found:
        draft = make_draft(found, bench.ledger, wish, bench.around())
        return list(_said(draft)), draft


def _said(draft: Draft) -> Iterator[str]:
    for _, action in draft.actions():
        match action:
            case Send(entry, targets):
                yield f"send {entry.path}: {' '.join(target.destination for target in targets)}"
            case Hold(entry):
                yield f"hold {entry.path}"
            case Refuse(path):
                yield f"refuse {path}"


# --- which datasets ---------------------------------------------------------------------------------------------------


def test_a_run_plans_the_datasets_that_were_asked_for_and_no_other(bench: Bench) -> None:
    bench.write("p1/new", "p2/new", "loose")
    assert planned(bench)[0] == ["send loose: nas usb", "send p1/new: nas usb", "send p2/new: nas usb"]
    said, draft = planned(bench, Wish(datasets=frozenset({"p2"})))
    assert said == ["send p2/new: nas usb"]
    assert draft.selected == Tally(2, 6)


def test_p01_a_dataset_that_is_not_there_is_told_and_the_ones_that_are(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"holds no dataset 'p3'; there are: \., p1, p2"):
        planned(bench, Wish(datasets=frozenset({"p3", "p1"})))
    _, draft = planned(bench, Wish(datasets=frozenset({"p3", "p1"}), vanishing=True))
    assert draft.selected.files == 2, "a watcher's hint may have gone meanwhile"


def test_p01_nothing_to_select_is_no_success(bench: Bench) -> None:
    with pytest.raises(NothingSelected):
        planned(bench, Wish(datasets=frozenset({"p3"}), vanishing=True))


def test_p10_a_source_that_is_empty_now_stops_the_run(bench: Bench) -> None:
    for path in ("p1/a", "p1/b", "p2/a"):
        bench.source.delete(path)
    with pytest.raises(SourceAbsent, match="is empty, and held 3 files"):
        planned(bench)
    with pytest.raises(NothingSelected):
        planned(bench, Wish(Consent(accept_source=True)))


def test_p01_a_plate_that_the_job_names_and_the_source_does_not_hold_is_told(bench: Bench) -> None:
    bench.changes = {"plates": ("p2", "gone")}
    said, draft = planned(bench)
    assert (said, draft.absent) == ([], ["gone"])
    report = bench.run()
    assert (report.exit_code, report.absent) == (3, ["gone"])


@pytest.mark.usefixtures("bench")
def test_p16_keys_are_those_of_the_layout_and_twins_among_them_are_refused() -> None:
    lab = Bench("nas")
    lab.layout = "{job}/of-{dataset}/{path}"
    MemoryStore(lab.at["nas"].url, rules=NameRules(folds_case=True))
    lab.write("p1/a", "p1/b/c", "P1/a")
    assert lab.run().exit_code == 3
    assert lab.held("nas") == ["j/of-P1/a"]
    assert planned(lab)[0] == ["refuse p1/a", "refuse p1/b/c"]
    lab.close()


@pytest.mark.usefixtures("bench")
def test_p05_a_run_stops_before_two_datasets_lie_on_one_another_also_when_it_is_of_one_only() -> None:
    """Equal files would be one copy for both, and a newer version of one would take the other's."""
    lab = Bench(instrument="repeats")
    lab.layout = "{plate}/{path}"
    lab.write("p1/a", "p2/a")
    assert lab.run().exit_code == 0
    lab.write("p1-2/a")
    for datasets in ([], ["p1-2"], ["p2"]):
        with pytest.raises(ConfigurationError, match=r"^nas: the datasets 'p1-2' and 'p1' would both lie in 'p1'"):
            lab.run(*datasets)
    assert lab.held("nas") == ["p1/a", "p2/a"]
    lab.layout = "{plate}/{dataset}/{path}"
    assert lab.run().exit_code == 0
    lab.close()


# --- what stops a run -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("brake", "changed", "stops"),
    [
        (Brake(0.5, 10), 5, False),
        (Brake(0.5, 10), 6, True),
        (Brake(0.5, 11), 10, False),
        (Brake(0.0, 1), 1, True),
        (Brake(1.0, 1), 10, False),
    ],
)
def test_more_changes_than_the_job_believes_stop_it(bench: Bench, brake: Brake, changed: int, *, stops: bool) -> None:
    paths = [f"p3/{number}" for number in range(7)]
    bench.write(*paths)
    bench.run()
    bench.write(*["p1/a", "p1/b", "p2/a", *paths][:changed], content=b"others")
    bench.changes = {"brake": brake}
    if not stops:
        assert len(planned(bench)[0]) == changed
        return
    with pytest.raises(SuspiciousChange, match=f"{changed} of 10 files stored at nas changed"):
        planned(bench)
    assert len(planned(bench, Wish(Consent(accept_changes=True)))[0]) == changed


def test_a_run_that_shall_stop_stops_while_it_plans_and_says_that_nothing_was_sent(bench: Bench) -> None:
    bench.write(*(f"p3/{number:04}" for number in range(1500)))
    bench.monitor.looks.clear()
    planned(bench)
    assert bench.monitor.looks == [2, 1, 1000, 500]
    bench.monitor.stopping = True
    bench.monitor.looks.clear()
    with pytest.raises(Interrupted, match="nothing was sent"):
        planned(bench)
    assert bench.monitor.looks == [2, 1, 1000]


def test_the_monitor_is_told_how_much_was_looked_at_and_is_to_be_read(bench: Bench) -> None:
    bench.write("p1/new", "p2/new", content=b"12345")
    bench.monitor.plans.clear()
    bench.monitor.looks.clear()
    planned(bench)
    assert bench.monitor.plans == [(2, 10)]
    assert bench.monitor.looks == [3, 2], "dataset by dataset, all that were looked at"


# --- what stands at the destinations ----------------------------------------------------------------------------------


def faulty_at(found: Opened, name: str) -> tuple[Opened, FaultyStore]:
    """The same job, of which one destination can be made to fail."""
    (aim,) = [aim for aim in found.aims if aim.name == name]
    faulty = FaultyStore(aim.store)
    aim.store = aim.walks.store = faulty
    return found, faulty


def test_p01_a_folder_of_a_destination_that_cannot_be_listed_is_noted_and_every_file_is_tried(bench: Bench) -> None:
    bench.write("p1/new")
    with opened_job(bench) as plain:
        found, faulty = faulty_at(plain, "usb")
        faulty.fail("store.list", Denied, keys=["p1"])
        draft = make_draft(found, bench.ledger, Wish(), bench.around())
    assert "send p1/new: nas usb" in list(_said(draft))
    assert bench.monitor.notes == ["usb: p1 cannot be listed: FaultyStore plays Denied at store.list"]


@pytest.mark.parametrize("error", [StoreGone, NotFound])
def test_p10_a_destination_that_went_away_while_planning_stops_the_run(bench: Bench, error: type[StoreError]) -> None:
    with opened_job(bench) as plain:
        found, faulty = faulty_at(plain, "usb")
        faulty.fail("store.list", error, keys=["p1"])
        with pytest.raises(error):
            make_draft(found, bench.ledger, Wish(), bench.around())


def test_p06_what_is_gone_from_the_source_is_counted(bench: Bench) -> None:
    bench.source.delete("p1/b")
    _, draft = planned(bench)
    assert [one.gone for one in draft.datasets] == [0, 1, 0]
    assert [one.dataset.name for one in draft.datasets] == [".", "p1", "p2"]


def test_what_a_killed_run_began_is_known_where_it_began(bench: Bench, tmp_path: Path) -> None:
    (record,) = [one for one in bench.ledger.stored("j", "nas", "p1") if one.path == "p1/a"]
    entry = bench.source.stat("p1/a")
    bench.ledger.forget(1, "j", "p1", "nas", record, "as if it had been killed", bench.now)
    bench.source.put("p1/a", b"newer")
    around = replace(bench.around(), begun=tmp_path / "begun")

    def manners() -> list[Manner]:
        with opened_job(bench) as found:
            actions = [action for _, action in make_draft(found, bench.ledger, Wish(), around).actions()]
        return [target.manner for action in actions if isinstance(action, Send) for target in action.targets]

    assert manners() == [Manner.ADOPT, Manner.REPLACE], "what stands at nas may be a stranger's"
    note(str(tmp_path / "begun" / "x.0"), "nas", [(entry, record.key, record.digest)])
    assert manners() == [Manner.REPLACE, Manner.REPLACE]


# --- the order --------------------------------------------------------------------------------------------------------


def test_what_says_that_others_are_whole_travels_after_them(bench: Bench) -> None:
    bench.write("p3/DONE", "p3/a", "p3/a.hdr", "p3/b")
    said, _ = planned(bench)
    assert said == ["send p3/a: nas usb", "send p3/b: nas usb", "send p3/a.hdr: nas usb", "send p3/DONE: nas usb"]


def test_p01_what_is_no_plain_file_is_refused_in_its_place_and_counted(bench: Bench) -> None:
    bench.source.put_oddity(Oddity("p1/aa", "symlink", "a link"))
    bench.source.put_oddity(Oddity("p1/ab", "special", "a pipe"))
    bench.write("p1/c")
    said, draft = planned(bench)
    assert said == ["refuse p1/aa", "refuse p1/ab", "send p1/c: nas usb"]
    assert draft.datasets[1].selected.files == 5
    assert set(troubles(bench.run())) == {(path, name) for path in ("p1/aa", "p1/ab") for name in bench.names}


@pytest.mark.usefixtures("bench")
def test_p01_a_file_that_two_destinations_refuse_is_one_file() -> None:
    other = Bench()
    for store in other.at.values():
        MemoryStore(store.url, rules=NameRules(forbidden=":"))
    other.write("p/a", "p/a:b")
    assert other.run().exit_code == 3
    said, draft = planned(other)
    assert said == ["refuse p/a:b", "refuse p/a:b"]
    assert draft.selected == Tally(2, 6)
    other.close()


# --- what waits -------------------------------------------------------------------------------------------------------


def test_p18_a_file_that_was_just_written_waits_and_its_dataset_is_not_complete(bench: Bench) -> None:
    bench.write("p3/DONE")
    bench.changes = {"settle": timedelta(days=36500)}
    said, draft = planned(bench)
    assert said == ["hold p3/DONE"]
    conditions = [one.judged.verdict.condition for one in draft.datasets]
    assert conditions == [Condition.INCOMPLETE] * 3 + [Condition.ACQUIRING]
    assert draft.datasets[3].recent.files == 1


def test_p18_while_a_dataset_is_acquired_nothing_is_read_if_the_job_says_so(bench: Bench) -> None:
    bench.write("p1/new", "p3/DONE")
    bench.source.hold_open("p3/DONE")
    assert planned(bench)[0] == ["send p1/new: nas usb", "hold p3/DONE"]
    bench.changes = {"pause_while": ("acquiring",)}
    assert planned(bench)[0] == ["hold p1/new", "hold p3/DONE"]
    bench.changes = {"instrument": "shy"}
    assert planned(bench)[0] == ["hold p1/new", "hold p3/DONE"]
