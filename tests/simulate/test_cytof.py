"""Is a simulated CyTOF session laid out and filled like a real one, and does the instrument judge it rightly?"""

from __future__ import annotations

import itertools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import flowio  # type: ignore[import-untyped]
import pytest

from coldchain.config.values import Job
from coldchain.instruments.base import open_instrument
from coldchain.instruments.cytof.imd import END, analytes_of
from coldchain.model import Place
from coldchain.operate.examine import Examined, examine
from coldchain.simulate.base import Options, open_simulator
from coldchain.simulate.cytof import acquire, plan_session
from coldchain.simulate.faults import FAULTS
from coldchain.simulate.play import play
from coldchain.simulate.steps import Append, Close, Open, Pause, Step
from coldchain.stores.base import open_store
from coldchain.verdict import Condition
from tests.simulate.playing import START, Clock, completed, options, play_all, play_named

LATER = timedelta(minutes=31)
CRASHED = "no XML tail (crashed acquisition; repairable from a sibling, cytofCore.copyImdXml)"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Step]]:
    folder = tmp_path_factory.mktemp("cytof")
    return folder, play_named("cytof", folder, options(seed=3, scale=0.1))


def judged(folder: Path, after: timedelta = timedelta(0)) -> Examined:
    """What the instrument says so long after it was played."""
    place = Place("played", str(folder))
    job = Job("j", place, (), instrument="cytof")
    found = examine(open_instrument("cytof"), open_store(place), job, datetime.now(UTC) + after)
    rest, session = found
    assert rest.tally.files == 0
    return session


def struck(folder: Path, fault: str, at_most: int = 200) -> Examined:
    play_all(open_simulator("cytof").steps(options(fault=fault)), folder, at_most=at_most)
    return judged(folder)


# --- layout, order, content -------------------------------------------------------------------------------------------


def test_a_sample_has_its_settings_its_pushes_and_its_events(played: tuple[Path, list[Step]]) -> None:
    (session,) = played[0].iterdir()
    assert re.fullmatch(r"20240506 PBMC panel [A-H]\d\d", session.name)
    stems = {path.stem for path in session.glob("*.imd")}
    assert stems == {f"PBMC_01 stim_{k}" for k in (1, 2, 3)} | {f"PBMC_02 stim_0{k}" for k in (1, 2, 3)}
    wanted = {f"{stem}.{kind}" for stem in stems for kind in ("conf", "imd", "fcs")}
    assert {path.name for path in session.iterdir()} == wanted | {"acquisitions.txt"}


def test_a_conversion_comes_after_the_acquisition_and_a_pause(played: tuple[Path, list[Step]]) -> None:
    names = [Path(path).name for path in completed(played[1])]
    assert names[:6] == [f"PBMC_01 stim_{k}.{kind}" for k in (1, 2) for kind in ("conf", "imd", "fcs")]
    assert names[-1] == "acquisitions.txt"
    for before, step in itertools.pairwise(played[1]):
        if isinstance(step, Open) and step.path.endswith(".fcs"):
            assert isinstance(before, Pause)


def test_an_imd_grows_while_it_is_held_open_and_gets_its_tail_last() -> None:
    pieces: dict[str, list[bytes]] = {}
    for step in acquire(Options(start=START, scale=0.2)):
        if isinstance(step, Append) and step.path.endswith(".imd"):
            pieces.setdefault(step.path, []).append(step.content())
    assert len(pieces) == 12
    for path, grown in pieces.items():
        assert len(grown) > 3, path
        assert [END in piece for piece in grown] == [False] * (len(grown) - 1) + [True]
        assert grown[-1].endswith(END)


def test_an_imd_is_as_long_as_its_pushes_say_and_its_conf_names_its_analytes(played: tuple[Path, list[Step]]) -> None:
    samples = plan_session(options(seed=3, scale=0.1))
    for sample in samples:
        content = (played[0] / sample.session / f"{sample.name}.imd").read_bytes()
        begin = content.index("<ExperimentSchema".encode("utf-16-le"))
        assert begin == sample.pushes * 4 * len(sample.metals) + 64
        table = (played[0] / sample.session / f"{sample.name}.conf").read_text().split()
        assert table[:4] == ["Mass", "Symbol", "Slope", "Intercept"]
        named = [f"{symbol}{float(mass):.0f}" for mass, symbol in zip(table[4::4], table[5::4], strict=True)]
        assert [name.split()[0] for name in analytes_of(content)] == named
        assert len(named) == 38


def test_flowio_reads_each_fcs(played: tuple[Path, list[Step]]) -> None:
    for sample in plan_session(options(seed=3, scale=0.1)):
        path = played[0] / sample.session / f"{sample.name}.fcs"
        read = flowio.FlowData(path)
        assert (read.version, read.event_count, read.channel_count) == ("3.0", sample.events, 44)
        assert read.text["cyt"] == "DVSSCIENCES-CYTOF-6.7.1016"
        assert (read.text["byteord"], read.text["datatype"]) == ("4,3,2,1", "F")
        assert (read.text["date"], read.text["fil"]) == ("06-May-2024", path.name)
        assert read.pnn_labels[:3] == ["Time", "Event_length", "Y89Di"]
        assert read.pns_labels[2:4] == ["89Y_CD45", "103Rh_Live_Dead"]
        events = read.as_array()
        assert events.shape == (sample.events, 44)
        times = events[:, 0]
        assert (times[1:] >= times[:-1]).all()
        assert abs(times[-1] - 1000 * sample.pushes / 76_800) < 20
        assert 0 < (events[:, 2:] > 0).mean() < 1


def test_an_fcs_beyond_99_999_999_bytes_says_in_its_text_where_its_data_lie() -> None:
    head = next(
        step.content()
        for before, step in itertools.pairwise(acquire(Options(start=START, scale=900)))
        if isinstance(before, Open) and before.path.endswith(".fcs") and isinstance(step, Append)
    )
    assert head[26:42] == b"       0       0"
    said = re.search(rb"\$ENDDATA\|(\d+)\|", head)
    assert said
    assert int(said[1]) > 99_999_999


# --- what the instrument says -----------------------------------------------------------------------------------------


def test_a_flawless_session_is_whole_file_by_file(played: tuple[Path, list[Step]]) -> None:
    session = judged(played[0])
    verdict = session.verdict
    assert (verdict.condition, verdict.summary) == (Condition.UNKNOWN, "6 FCS, 6 IMD, all whole")
    assert (verdict.missing, dict(verdict.unwhole), verdict.remarks) == ((), {}, ())
    events = plan_session(options(seed=3, scale=0.1))[0].events
    assert verdict.catalogue["start"] == "2024-05-06T07:08:00"
    assert (verdict.catalogue["serial"], verdict.catalogue["$TOT"]) == ("H1003", 6 * events)


def test_at_every_moment_of_an_acquisition_everything_is_held(tmp_path: Path) -> None:
    clock = Clock()
    steps = open_simulator("cytof").steps(options(scale=0.02))
    open_imds: set[str] = set()
    looked = 0
    for progress in play(steps, tmp_path, None, clock.sleep, clock.monotonic):
        step = progress.step
        if isinstance(step, Open) and step.data:
            open_imds.add(step.path)
        elif isinstance(step, Close):
            open_imds.discard(step.path)
        if open_imds and isinstance(step, Append):
            content = (tmp_path / step.path).read_bytes()
            if content.endswith(END):
                continue
            looked += 1
            session = judged(tmp_path)
            assert session.verdict.condition is Condition.ACQUIRING
            assert len(session.verdict.unwhole) == session.tally.files
    assert looked >= 3


@pytest.mark.parametrize("fault", ["crash", "truncate"])
def test_a_crash_holds_everything_first_and_is_carried_and_said_afterwards(fault: str, tmp_path: Path) -> None:
    verdict = struck(tmp_path, fault).verdict
    assert verdict.condition is Condition.ACQUIRING
    later = judged(tmp_path, LATER).verdict
    assert (later.condition, dict(later.unwhole)) == (Condition.UNKNOWN, {})
    ((path, sentence),) = later.remarks
    assert path.endswith("PBMC_01 stim_2.imd" if fault == "crash" else "PBMC_01 stim_3.imd")
    assert sentence == CRASHED
    assert later.missing == (f"the XML tail of {path.rpartition('/')[2]}",)


def test_an_imd_that_goes_on_growing_behind_its_tail_is_being_acquired(tmp_path: Path) -> None:
    verdict = struck(tmp_path, "growing").verdict
    assert verdict.condition is Condition.ACQUIRING
    assert verdict.summary == "PBMC_01 stim_2.imd is being acquired"
    assert set(verdict.unwhole) >= {f"{plan_session(options())[0].session}/acquisitions.txt"}


def test_what_nothing_tells_is_not_claimed(tmp_path: Path) -> None:
    """No file says how many samples there should be: one that never appeared, or one more, is no fault to see."""
    for fault, summary in {"missing": "3 FCS, 2 IMD, all whole", "late": "3 FCS, 4 IMD, all whole"}.items():
        verdict = struck(tmp_path / fault, fault).verdict
        assert (verdict.condition, verdict.summary) == (Condition.UNKNOWN, summary)


def test_every_fault_is_judged_here() -> None:
    assert set(FAULTS) == {"crash", "truncate", "growing", "missing", "late"}
