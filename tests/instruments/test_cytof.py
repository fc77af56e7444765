"""Are the files of a CyTOF, and FCS files of any cytometer, judged as they deserve?"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import flowio  # type: ignore[import-untyped]
import pytest

from coldchain.config.values import Job, OnChange
from coldchain.errors import ConfigurationError, Denied
from coldchain.instruments.base import Look, open_instrument
from coldchain.instruments.cytof.fcs import read_fcs
from coldchain.instruments.cytof.imd import END, analytes_of, has_tail
from coldchain.instruments.cytof.keywords import keywords_of
from coldchain.instruments.cytof.rows import row_of
from coldchain.model import REST, Entry, Place
from coldchain.operate.examine import Examined, examine
from coldchain.stores.base import Reader, Store, open_store
from coldchain.verdict import Condition, Remark, Verdict

NOW = datetime(2025, 6, 1, 12, 0, tzinfo=UTC)
LONG_AGO = timedelta(days=30)
CRASHED = "no XML tail (crashed acquisition; repairable from a sibling, cytofCore.copyImdXml)"
FCS_2013, FCS_HELIOS = "Data/2013-05/130515_C2_stim_CD19-.fcs", "Data/Helios138/raw_cytof.fcs"
IMD = "synthetic_imd/SYNTHETIC_130515_C2_stim.imd"
INSTRUMENT = open_instrument("cytof")


def job_of(folder: Path, datasets: str = "", *, personal: bool = False) -> Job:
    return Job("j", Place("s", str(folder)), (), instrument="cytof", datasets=datasets, personal=personal)


def judged(folder: Path, datasets: str = "", now: datetime = NOW, *, personal: bool = False) -> dict[str, Examined]:
    job = job_of(folder, datasets, personal=personal)
    return {one.dataset.name: one for one in examine(INSTRUMENT, open_store(job.source), job, now)}


def whole(folder: Path, now: datetime = NOW) -> Verdict:
    return judged(folder, "whole", now)[REST].verdict


def aged(path: Path, age: timedelta = LONG_AGO) -> Path:
    at = (NOW - age).timestamp()
    os.utime(path, (at, at))
    return path


def put(folder: Path, name: str, content: bytes, age: timedelta = LONG_AGO) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return aged(path, age)


@pytest.fixture
def cytof(data: Path) -> Path:
    return data / "cytof"


class Ledger:
    """What the ledger does for an instrument: one folder is judged again and again."""

    def __init__(self, folder: Path, store: Store | None = None) -> None:
        self.job = job_of(folder, "whole")
        self.source = store or open_store(self.job.source)
        self.remembered: dict[str, object] = {}
        self.reads: list[str] = []

    def judge(self, now: datetime, changed: Mapping[str, Entry] | None = None) -> Verdict:
        look = Look(self.source, self.job, now, dict(self.remembered))
        plain = look.source.read
        self.reads = []

        class Counted:
            def __getattr__(_, name: str) -> object:  # noqa: N805
                return getattr(self.source, name)

            def read(_, path: str) -> Reader:  # noqa: N805
                self.reads.append(path)
                return plain(path)

        look.source = Counted()  # type: ignore[assignment]
        (dataset,) = INSTRUMENT.find(self.source, self.job)
        judge = INSTRUMENT.judge(dataset, look)
        for found in self.source.list(""):
            assert isinstance(found, Entry)
            judge.see((changed or {}).get(found.path, found))
        verdict = judge.verdict()
        self.remembered = json.loads(json.dumps(look.remembered))
        return verdict


# --- real files -------------------------------------------------------------------------------------------------------


def test_each_folder_at_the_top_is_a_dataset_when_nothing_is_said(cytof: Path) -> None:
    found = judged(cytof)
    assert {name: one.tally.files for name, one in found.items()} == {
        REST: 0,
        "Data": 2,
        "other_cytometers": 14,
        "synthetic_imd": 1,
    }
    assert found[REST].verdict == Verdict(Condition.UNKNOWN)


def test_a_pattern_of_levels_and_the_whole_source_can_be_datasets(cytof: Path) -> None:
    found = judged(cytof, "Data*/*")
    assert set(found) == {REST, "Data/2013-05", "Data/Helios138"}
    assert found[REST].tally.files == 15
    assert judged(cytof, "whole")[REST].tally.files == 17
    with pytest.raises(ConfigurationError, match="did you mean 'folders'"):
        judged(cytof, "folder")


def test_the_fcs_of_2013_is_whole_and_tells_of_itself(cytof: Path) -> None:
    verdict = judged(cytof, "*/*")["Data/2013-05"].verdict
    assert (verdict.condition, verdict.summary) == (Condition.UNKNOWN, "1 FCS, all whole")
    assert not verdict.unwhole
    assert not verdict.remarks
    (row,) = verdict.units
    channels = row["channels"]
    assert isinstance(channels, list)
    assert (len(channels), channels[:3]) == (53, ["Time", "Cell_length", "(Rh103)Di BC103"])
    assert {key: value for key, value in row.items() if key != "channels"} == {
        "unit": "130515_C2_stim_CD19-.fcs",
        "version": "FCS2.0",
        "start": "2013-05-15T18:48:54",
        "end": "2013-05-15T19:22:15",
        "serial": "beta19",
        "$CYT": "DVSSCIENCES-CYTOF-5.1.648",
        "$CYTSN": "beta19",
        "$DATE": "15-May-2013",
        "$BTIM": "18:48:54",
        "$ETIM": "19:22:15",
        "$FIL": "130515 C2 stim\u00c9CD19-.fcs",  # byte C9, which is not UTF-8
        "$TOT": 15942,
        "$PAR": 53,
    }
    assert verdict.catalogue["start"] == "2013-05-15T18:48:54"
    assert verdict.catalogue["serial"] == "beta19"


def test_a_date_that_was_taken_out_leaves_no_start(cytof: Path) -> None:
    verdict = judged(cytof, "*/*")["Data/Helios138"].verdict
    assert verdict.summary == "1 FCS, all whole"
    row = dict(verdict.units[0])
    assert (row["$DATE"], row["$BTIM"], row["$TOT"], row["$PAR"]) == ("X", "09:59:41", 6450, 55)
    assert "start" not in row
    assert "start" not in verdict.catalogue
    assert verdict.catalogue["serial"] == "Helios138_WinPC3"


def test_fcs_of_six_makers_are_found_under_any_name_and_only_the_truncated_one_is_held(cytof: Path) -> None:
    verdict = judged(cytof)["other_cytometers"].verdict
    assert verdict.condition is Condition.INCOMPLETE
    cut = "other_cytometers/cytek-nl-2000/sample_header.fcs"
    assert dict(verdict.unwhole) == {cut: "cut short: the data end at byte 2,165,911 and the file has 3,931 bytes"}
    assert verdict.missing == ("the end of cytek-nl-2000/sample_header.fcs (2,161,981 bytes)",)
    assert verdict.summary.startswith("14 FCS; 1 FCS cut short: cytek-nl-2000/sample_header.fcs; 3 FCS that do not fit")
    assert [remark.path.rpartition("/")[2] for remark in verdict.remarks] == [
        "corrupted.fcs",
        "data_start_offset_discrepancy_example.fcs",
        "data_stop_offset_discrepancy_example.fcs",
    ]
    assert verdict.remarks[0].sentence == "named as FCS, and does not begin as FCS does"
    assert verdict.remarks[2].sentence == (
        "header and TEXT disagree: data in bytes 6,081 to 6,188 or 6,081 to 6,944; 6,081 to 6,188 fits"
    )
    rows = {str(row["unit"]): row for row in verdict.units}
    assert len(rows) == 14
    assert rows["flowcore/0877408774.B08"]["$TOT"] == 10000
    assert rows["flowcore/compdata/060909.001"]["start"] == "2006-09-08T08:47:51"
    assert rows["MiltenyiBiotec/FCS3.1/SG_2014-09-26_Duplicate_Names.fcs"]["start"] == "2014-09-26T13:40:19"
    assert rows["cyflow_cube_8/cyflow_cube_8.fcs"]["end"] == "2017-11-02T09:43:46"
    assert rows["Fortessa/FCS_3.0_Fortessa_PBS_Specimen_001_A1_A01.fcs"]["start"] == "2013-02-28T15:19:53"


def test_flowio_finds_the_same_in_every_file_that_it_can_read(cytof: Path) -> None:
    rows = {str(row["unit"]): row for row in whole(cytof).units}
    read = 0
    for path in sorted(path for path in cytof.rglob("*") if path.is_file()):
        if path.name in ("corrupted.fcs", "sample_header.fcs") or path.suffix == ".imd":
            continue
        other = flowio.FlowData(path, only_text=True, ignore_offset_discrepancy=True)
        row = rows[str(path.relative_to(cytof))]
        assert (row["$TOT"], row["$PAR"]) == (other.event_count, other.channel_count)
        assert row["version"] == f"FCS{other.version}"
        channels = row["channels"]
        assert isinstance(channels, list)
        if path.name == "0877408774.B08":  # flowio takes $P6N for a part of the empty value before it
            assert (len(channels), channels[5], other.pnn_labels[5]) == (8, "FL1-A", "FL4-H")
            continue
        named = zip(other.pnn_labels, other.pns_labels, strict=True)
        expected = [(name.strip(), stain.strip()) for name, stain in named]
        assert channels == [f"{name} {stain}" if stain and stain != name else name for name, stain in expected]
        read += 1
    assert read == 13


def test_an_imd_with_its_tail_is_whole_and_tells_its_analytes(cytof: Path) -> None:
    verdict = judged(cytof)["synthetic_imd"].verdict
    assert (verdict.condition, verdict.summary) == (Condition.UNKNOWN, "1 IMD, all whole")
    (row,) = verdict.units
    channels = row["channels"]
    assert isinstance(channels, list)
    assert (row["unit"], row["analytes"]) == ("SYNTHETIC_130515_C2_stim.imd", 51)
    assert (channels[0], channels[2], channels[-1]) == ("Rh103 BC103", "Pd105", "Pt195 Cisplatin")


def test_nothing_is_ever_called_complete(cytof: Path, tmp_path: Path) -> None:
    """No file says that a session is over: not even an .imd with its tail beside its .fcs."""
    shutil.copyfile(cytof / IMD, tmp_path / "a.imd")
    shutil.copyfile(cytof / FCS_2013, tmp_path / "a.fcs")
    for path in tmp_path.iterdir():
        aged(path)
    verdict = whole(tmp_path)
    assert (verdict.condition, verdict.summary) == (Condition.UNKNOWN, "1 FCS, 1 IMD, all whole")
    assert (verdict.catalogue["FCS"], verdict.catalogue["IMD"]) == (1, 1)


def test_what_concerns_people_is_told_only_when_the_job_says_so(cytof: Path) -> None:
    told = judged(cytof, personal=True)["other_cytometers"].verdict
    silent = str(judged(cytof)["other_cytometers"].verdict.units)
    for word in ("EugeneYurtsev", "Cole Urnes", "Ben Oakes", "Default Patient Name", "$OP", "$SRC", "$COM"):
        assert word in str(told.units)
        assert word not in silent


# --- damage -----------------------------------------------------------------------------------------------------------


def damaged(tmp_path: Path, content: bytes, name: str = "a.fcs") -> Verdict:
    put(tmp_path, name, content)
    return whole(tmp_path)


def test_an_fcs_without_its_last_byte_is_not_whole(cytof: Path, tmp_path: Path) -> None:
    verdict = damaged(tmp_path, (cytof / FCS_2013).read_bytes()[:-1])
    assert verdict.condition is Condition.INCOMPLETE
    assert dict(verdict.unwhole) == {
        "a.fcs": "cut short: the data end at byte 3,383,799 and the file has 3,383,799 bytes"
    }
    assert verdict.missing == ("the end of a.fcs (1 bytes)",)


def test_what_follows_the_data_of_an_fcs_may_be_missing(cytof: Path, tmp_path: Path) -> None:
    content = (cytof / FCS_HELIOS).read_bytes()
    assert damaged(tmp_path, content[:-8]).summary == "1 FCS, all whole"
    assert list(damaged(tmp_path, content[:-9]).unwhole) == ["a.fcs"]


def test_an_fcs_cut_in_its_text_is_not_whole(cytof: Path, tmp_path: Path) -> None:
    verdict = damaged(tmp_path, (cytof / FCS_HELIOS).read_bytes()[:5000])
    assert verdict.unwhole == {"a.fcs": "cut short: TEXT ends at byte 7,111 and the file has 5,000 bytes"}


def test_an_fcs_cut_in_its_header_is_not_whole(cytof: Path, tmp_path: Path) -> None:
    verdict = damaged(tmp_path, (cytof / FCS_HELIOS).read_bytes()[:40])
    assert verdict.unwhole == {"a.fcs": "cut short: a header has 58 bytes and the file has 40 bytes"}
    assert damaged(tmp_path, b"").unwhole == {"a.fcs": "it is empty"}


def test_a_supplementary_text_that_is_cut_makes_an_fcs_not_whole(cytof: Path, tmp_path: Path) -> None:
    content = (cytof / "other_cytometers/cyflow_cube_8/cyflow_cube_8.fcs").read_bytes()
    assert damaged(tmp_path, content).summary == "1 FCS, all whole"
    assert damaged(tmp_path, content[:-1]).unwhole == {
        "a.fcs": "cut short: STEXT ends at byte 58,392 and the file has 58,392 bytes"
    }


@pytest.mark.parametrize(("total", "events"), [(b"$TOT|6451|", "6,451"), (b"$TOT|6449|", "6,449")])
def test_an_fcs_with_another_number_of_events_is_carried_and_remarked(
    cytof: Path, tmp_path: Path, total: bytes, events: str
) -> None:
    content = (cytof / FCS_HELIOS).read_bytes().replace(b"$TOT|6450|", total, 1)
    verdict = damaged(tmp_path, content)
    assert (verdict.condition, dict(verdict.unwhole)) == (Condition.UNKNOWN, {})
    assert verdict.remarks == (
        Remark(
            "a.fcs",
            f"its data lie in bytes 7,112 to 1,426,111, which are 1,419,000, and $TOT events need "
            f"{int(events.replace(',', '')) * 220:,}",
        ),
    )
    assert verdict.summary == "1 FCS; 1 FCS that do not fit together: a.fcs"


def test_an_imd_without_its_last_byte_is_carried_and_said_to_have_crashed(cytof: Path, tmp_path: Path) -> None:
    content = (cytof / IMD).read_bytes()
    put(tmp_path, "a.imd", content)
    put(tmp_path, "b.imd", content[:-1])
    verdict = whole(tmp_path)
    assert (verdict.condition, dict(verdict.unwhole)) == (Condition.UNKNOWN, {})
    assert verdict.remarks == (Remark("b.imd", CRASHED),)
    assert verdict.summary == "2 IMD; 1 IMD without XML tail: b.imd"
    assert verdict.missing == ("the XML tail of b.imd",)


def test_a_crash_that_no_other_imd_here_can_mend_leaves_the_folder_incomplete(cytof: Path, tmp_path: Path) -> None:
    put(tmp_path, "b.IMD", (cytof / IMD).read_bytes()[:1_000_000])
    verdict = whole(tmp_path)
    assert (verdict.condition, dict(verdict.unwhole)) == (Condition.INCOMPLETE, {})
    assert verdict.remarks == (Remark("b.IMD", f"{CRASHED}; no other .imd here has one"),)


def test_a_tail_in_the_middle_is_no_tail(cytof: Path, tmp_path: Path) -> None:
    content = (cytof / IMD).read_bytes()
    put(tmp_path, "a.imd", content + b"\x01" * 408)
    assert [remark.sentence[:11] for remark in whole(tmp_path).remarks] == ["no XML tail"]


@pytest.mark.parametrize("behind", ["\r\n", "\n ", "\0\0"])
def test_blanks_behind_the_tail_do_no_harm(cytof: Path, tmp_path: Path, behind: str) -> None:
    put(tmp_path, "a.imd", (cytof / IMD).read_bytes() + behind.encode("utf-16-le"))
    assert whole(tmp_path).summary == "1 IMD, all whole"


def test_a_tail_in_another_encoding_is_none() -> None:
    assert has_tail(END)
    assert not has_tail(b"</ExperimentSchema>")
    assert not has_tail("</ExperimentSchema>".encode("utf-16-be"))
    assert not has_tail(b"")


# --- acquiring --------------------------------------------------------------------------------------------------------


def acquisition(cytof: Path, folder: Path, age: timedelta) -> Path:
    put(folder, "s/old.imd", (cytof / IMD).read_bytes())
    put(folder, "s/old.fcs", (cytof / FCS_HELIOS).read_bytes())
    put(folder, "s/notes.txt", b"tuned")
    put(folder, "s/sub/panel.conf", b"Mass Symbol")
    put(folder, "other/x.txt", b"x")
    return put(folder, "s/new.imd", (cytof / IMD).read_bytes()[:100_000], age)


def test_while_an_imd_is_acquired_no_file_of_its_dataset_is_touched(cytof: Path, tmp_path: Path) -> None:
    acquisition(cytof, tmp_path, timedelta(seconds=12))
    found = judged(tmp_path)
    verdict = found["s"].verdict
    assert (verdict.condition, verdict.summary) == (Condition.ACQUIRING, "new.imd is being acquired")
    reason = "the instrument is acquiring: new.imd was written 12 s ago"
    names = ("s/new.imd", "s/notes.txt", "s/old.fcs", "s/old.imd", "s/sub/panel.conf")
    assert dict(verdict.unwhole) == dict.fromkeys(names, reason)
    assert found["other"].verdict.unwhole == {}, "one dataset is all that is judged at a time"


@pytest.mark.parametrize(("minutes", "condition"), [(29, Condition.ACQUIRING), (31, Condition.UNKNOWN)])
def test_an_imd_without_tail_is_acquired_until_it_was_quiet_for_half_an_hour(
    cytof: Path, tmp_path: Path, minutes: int, condition: Condition
) -> None:
    acquisition(cytof, tmp_path, timedelta(minutes=minutes))
    verdict = judged(tmp_path)["s"].verdict
    assert verdict.condition is condition
    assert bool(verdict.unwhole) is (condition is Condition.ACQUIRING)
    assert [remark.path for remark in verdict.remarks] == ([] if verdict.unwhole else ["s/new.imd"])


@pytest.mark.parametrize(("minutes", "condition"), [(5, Condition.ACQUIRING), (31, Condition.INCOMPLETE)])
def test_an_fcs_that_is_being_converted_holds_its_folder_too(
    cytof: Path, tmp_path: Path, minutes: int, condition: Condition
) -> None:
    put(tmp_path, "a.fcs", (cytof / FCS_HELIOS).read_bytes()[:500_000], timedelta(minutes=minutes))
    put(tmp_path, "notes.txt", b"x")
    verdict = whole(tmp_path)
    assert verdict.condition is condition
    assert set(verdict.unwhole) == ({"a.fcs", "notes.txt"} if condition is Condition.ACQUIRING else {"a.fcs"})


def test_while_something_is_acquired_only_ends_of_imd_files_are_read(cytof: Path, tmp_path: Path) -> None:
    acquisition(cytof, tmp_path, timedelta(seconds=12))
    ledger = Ledger(tmp_path)
    assert ledger.judge(NOW).condition is Condition.ACQUIRING
    assert ledger.reads == ["s/new.imd", "s/old.imd"]


def test_a_time_stamp_that_stands_still_hides_no_growth(cytof: Path, tmp_path: Path) -> None:
    """Windows writes the time stamp of an open file when it is closed, or when it likes."""
    path = put(tmp_path, "a.imd", (cytof / IMD).read_bytes()[:100_000])
    ledger = Ledger(tmp_path)
    assert ledger.judge(NOW).condition is Condition.INCOMPLETE
    put(tmp_path, "a.imd", path.read_bytes() + b"\1" * 1000)
    grown = ledger.judge(NOW + timedelta(minutes=10))
    assert grown.condition is Condition.ACQUIRING
    assert grown.unwhole == {"a.imd": "the instrument is acquiring: a.imd was first seen like this 0 s ago"}
    assert ledger.judge(NOW + timedelta(minutes=39)).condition is Condition.ACQUIRING
    assert ledger.judge(NOW + timedelta(minutes=41)).condition is Condition.INCOMPLETE


def test_a_crash_between_two_nightly_runs_is_known_as_one_in_the_second(cytof: Path, tmp_path: Path) -> None:
    path = put(tmp_path, "a.imd", (cytof / IMD).read_bytes()[:100_000], timedelta(seconds=5))
    ledger = Ledger(tmp_path)
    assert ledger.judge(NOW).condition is Condition.ACQUIRING
    put(tmp_path, "a.imd", path.read_bytes() + b"\1" * 1000, -timedelta(hours=1))
    assert ledger.judge(NOW + timedelta(days=1)).condition is Condition.INCOMPLETE


def test_an_imd_that_grew_since_it_was_listed_is_being_acquired(cytof: Path, tmp_path: Path) -> None:
    path = put(tmp_path, "a.imd", (cytof / IMD).read_bytes())
    ledger = Ledger(tmp_path)
    (seen,) = ledger.source.list("")
    assert isinstance(seen, Entry)
    shorter = {"a.imd": seen._replace(size_bytes=path.stat().st_size - 2000)}
    verdict = ledger.judge(NOW, shorter)
    assert verdict.unwhole == {"a.imd": "the instrument is acquiring: a.imd is growing"}


def test_a_time_stamp_in_the_future_is_not_believed(cytof: Path, tmp_path: Path) -> None:
    put(tmp_path, "a.imd", (cytof / IMD).read_bytes()[:100_000], -timedelta(days=3))
    ledger = Ledger(tmp_path)
    assert ledger.judge(NOW).condition is Condition.ACQUIRING
    assert ledger.judge(NOW + timedelta(minutes=31)).condition is Condition.INCOMPLETE


# --- what is remembered -----------------------------------------------------------------------------------------------


def test_a_file_that_does_not_change_is_read_in_one_run_only(cytof: Path, tmp_path: Path) -> None:
    put(tmp_path, "a.imd", (cytof / IMD).read_bytes())
    put(tmp_path, "a.fcs", (cytof / FCS_HELIOS).read_bytes())
    put(tmp_path, "0877408774.B08", (cytof / "other_cytometers/flowcore/0877408774.B08").read_bytes())
    put(tmp_path, "readme", b"nothing to see here")
    put(tmp_path, "notes.txt", b"FCS3.0 is a format")
    ledger = Ledger(tmp_path)
    first = ledger.judge(NOW)
    assert set(ledger.reads) == {"a.imd", "a.fcs", "0877408774.B08", "readme"}
    assert ledger.judge(NOW + timedelta(days=1)) == first
    assert ledger.reads == []
    put(tmp_path, "a.fcs", (cytof / FCS_HELIOS).read_bytes()[:-9], timedelta(days=2))
    assert list(ledger.judge(NOW).unwhole) == ["a.fcs"]
    assert ledger.reads == ["a.fcs"]


def test_what_is_remembered_may_be_garbage(cytof: Path, tmp_path: Path) -> None:
    put(tmp_path, "a.imd", (cytof / IMD).read_bytes()[:-2])
    put(tmp_path, "a.fcs", (cytof / FCS_HELIOS).read_bytes())
    ledger = Ledger(tmp_path)
    ledger.judge(NOW)
    for value in (None, 7, "x", [], {"row": 3}, {"row": {}, "lacking": "x"}, [1]):
        ledger.remembered = {key: [kept[0], value] for key, kept in ledger.remembered.items() if isinstance(kept, list)}
        ledger.judge(NOW)


# --- what cannot be read, and garbage ---------------------------------------------------------------------------------


class Locked:
    """A store in which some files cannot be opened, as a Windows program may have it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def read(self, path: str) -> Reader:
        raise Denied("another program has it", key=path)


def test_a_file_that_cannot_be_read_is_remarked_and_carried(cytof: Path, tmp_path: Path) -> None:
    put(tmp_path, "a.imd", (cytof / IMD).read_bytes())
    put(tmp_path, "b.fcs", (cytof / FCS_HELIOS).read_bytes())
    locked = Locked(open_store(Place("s", str(tmp_path))))
    verdict = Ledger(tmp_path, locked).judge(NOW)  # type: ignore[arg-type]
    assert (verdict.condition, dict(verdict.unwhole)) == (Condition.UNKNOWN, {})
    sentence = "could not be read: another program has it"
    assert set(verdict.remarks) == {Remark("a.imd", sentence), Remark("b.fcs", sentence)}


def test_an_imd_that_was_just_written_and_is_locked_is_being_acquired(cytof: Path, tmp_path: Path) -> None:
    put(tmp_path, "a.imd", (cytof / IMD).read_bytes(), timedelta(minutes=3))
    locked = Locked(open_store(Place("s", str(tmp_path))))
    verdict = Ledger(tmp_path, locked).judge(NOW)  # type: ignore[arg-type]
    assert verdict.unwhole == {"a.imd": "the instrument is acquiring: a.imd was written 3 min ago"}


def test_garbage_in_place_of_every_header_never_raises(cytof: Path, tmp_path: Path) -> None:
    noise = random.Random(5)
    real = [path.read_bytes()[:20_000] for path in sorted(cytof.rglob("*")) if path.is_file()]
    tail = (cytof / IMD).read_bytes()[-20_000:]
    for k in range(60):
        content = bytearray(noise.choice([*real, tail]))
        for _ in range(noise.randrange(1, 40)):
            if content:
                at = noise.randrange(len(content))
                content[at : at + noise.randrange(4)] = noise.randbytes(noise.randrange(4))
        for name in ("x.fcs", "x.imd", "x.001"):
            cut = content[: noise.randrange(len(content) + 1)] if k % 3 else content
            put(tmp_path, f"{k}/{name}", bytes(cut))
        put(tmp_path, f"{k}/y.fcs", noise.randbytes(noise.randrange(200)))
        put(tmp_path, f"{k}/y.imd", noise.randbytes(noise.randrange(200)) + END)
        put(tmp_path, f"{k}/z.fcs", b"FCS3.1    " + noise.randbytes(300))
    put(tmp_path, "0/empty.imd", b"")
    put(tmp_path, "0/empty.fcs", b"")
    found = judged(tmp_path)
    assert len(found) == 61
    for one in found.values():
        assert Verdict.from_json(json.loads(json.dumps(one.verdict.as_json(), allow_nan=False))) == one.verdict
        str(one.verdict.units).encode()  # no lone surrogates


def test_a_name_that_is_not_utf8_works(cytof: Path, tmp_path: Path) -> None:
    name = "130515 C2 stim\udcc9CD19-.fcs"
    put(tmp_path, f"s/{name}", (cytof / FCS_2013).read_bytes()[:-1])
    verdict = judged(tmp_path)["s"].verdict
    assert list(verdict.unwhole) == [f"s/{name}"]
    assert verdict.units[0]["unit"] == name


# --- formats ----------------------------------------------------------------------------------------------------------


def made(
    version: str = "FCS3.1",
    events: int = 10,
    header: tuple[int, int] | None = None,
    words: Mapping[str, str] | None = None,
    more: bytes = b"",
) -> bytes:
    """An FCS file of one 32-bit parameter, whose data begin at 1000."""
    keywords = {"$TOT": str(events), "$PAR": "1", "$P1B": "32", "$DATATYPE": "F", "$MODE": "L", "$BYTEORD": "1,2,3,4"}
    keywords |= {"$BEGINDATA": "1000", "$ENDDATA": str(999 + 4 * events)} | dict(words or {})
    text = "/" + "".join(f"{key}/{value}/" for key, value in keywords.items() if value)
    places = (58, 57 + len(text.encode()), *(header or (1000, 999 + 4 * events)), 0, 0)
    head = f"{version}    " + "".join(f"{place:8d}" for place in places) + text
    return head.encode().ljust(1000) + bytes(4 * events) + more


def flaw(content: bytes, size_bytes: int = 0) -> tuple[str, list[str]]:
    found = read_fcs(lambda offset, length: content[offset : offset + length], size_bytes or len(content))
    assert found is not None
    return found.cut, found.odd


def test_a_file_beyond_99_999_999_bytes_has_its_offsets_in_its_text() -> None:
    words = {"$BEGINDATA": "1000", "$ENDDATA": "200000999", "$TOT": "50000000"}
    content = made(header=(0, 0), words=words)
    assert flaw(content, 200_001_000) == ("", [])
    assert flaw(content, 200_000_999)[0] == (
        "cut short: the data end at byte 200,000,999 and the file has 200,000,999 bytes"
    )


def test_fcs_2_knows_where_its_data_lie_from_its_header() -> None:
    assert flaw(made("FCS2.0", words={"$BEGINDATA": "", "$ENDDATA": ""})) == ("", [])
    assert flaw(made("FCS2.0", words={"$BEGINDATA": "", "$ENDDATA": "", "$TOT": ""})[:-1])[0].startswith("cut short")


def test_bits_of_all_parameters_count() -> None:
    words = {"$PAR": "3", "$P2B": "10", "$P3B": "6", "$ENDDATA": str(999 + 60)}
    content = made(events=10, header=(1000, 1059), words=words)
    assert flaw(content + bytes(20)) == ("", [])
    assert flaw(content + bytes(19))[0].startswith("cut short")


def test_an_end_of_one_byte_too_many_is_no_cut() -> None:
    assert flaw(made(header=(1000, 1040), words={"$ENDDATA": "1040"})) == ("", [])


def test_where_header_and_text_disagree_and_neither_fits_only_what_both_say_is_a_cut() -> None:
    assert flaw(made(header=(1000, 5000), words={"$ENDDATA": "1019"})) == (
        "",
        ["its data lie in bytes 1,000 to 1,019, which are 20, and $TOT events need 40"],
    )
    both_beyond = made("FCS2.0", header=(1000, 5000), words={"$ENDDATA": "6000"})
    assert flaw(both_beyond)[0] == "cut short: the data end at byte 5,000 and the file has 1,040 bytes"


def test_no_events_are_whole() -> None:
    assert flaw(made(events=0, header=(0, 0), words={"$BEGINDATA": "0", "$ENDDATA": "0"})) == ("", [])


def test_further_data_sets_count_from_their_own_beginning() -> None:
    second = made("FCS2.0", 5)
    first = made(words={"$NEXTDATA": "1040"})
    assert flaw(first + second) == ("", [])
    assert flaw(first + second[:-1])[0] == (
        "cut short: the data end at byte 1,019 (of the data set at 1,040) and the file has 2,059 bytes"
    )
    assert flaw(first)[0] == "cut short: its next data set begins at byte 1,040 and the file has 1,040 bytes"
    assert flaw(first + b"something else")[1] == [
        "$NEXTDATA says that another data set begins at byte 1,040, and none does"
    ]
    assert flaw(made(words={"$NEXTDATA": "1040"}) * 40)[0] == "", "data sets without end are not followed for ever"


def test_a_doubled_delimiter_belongs_to_a_value_and_empty_values_lose_nothing_that_counts() -> None:
    assert keywords_of(b"/$COM/10//20 mix/$TOT/7/") == {"$COM": "10/20 mix", "$TOT": "7"}
    assert keywords_of(b"/$OP//$tot/7/$PAR/3/")["$TOT"] == "7"
    assert keywords_of("|$FIL|µ é|".encode()) == {"$FIL": "µ é"}
    assert keywords_of(b"|$FIL|stim\xc9CD19|") == {"$FIL": "stim\xc9CD19"}
    for content in (b"", b"/", b"//", b"///", b"\xff\xff\xff", bytes(100)):
        assert isinstance(keywords_of(content), dict)


@pytest.mark.parametrize(
    ("words", "start", "end"),
    [
        (
            {"$DATE": "28-FEB-2013", "$BTIM": "23:59:01", "$ETIM": "00:10:00"},
            "2013-02-28T23:59:01",
            "2013-03-01T00:10:00",
        ),
        ({"$DATE": "08-sep-06", "$BTIM": "8:47:51"}, "2006-09-08T08:47:51", None),
        ({"$DATE": "2014-Sep-26", "$BTIM": "13:40:19.55", "$ETIM": "x"}, "2014-09-26T13:40:19", None),
        ({"$DATE": "1-May-1999"}, "1999-05-01", None),
        ({"$DATE": "X", "$BTIM": "13:40:19"}, None, None),
        ({"$DATE": "31-Feb-2013", "$BTIM": "25:61:61"}, None, None),
        ({"$DATE": "15-Mai-2013", "$BTIM": "10:00:00"}, None, None),
        (
            {"$BEGINDATETIME": "2021-10-01T10:11:12.5+02:00", "$ENDDATETIME": "2021-10-01T10:20:00Z"},
            "2021-10-01T10:11:12",
            "2021-10-01T10:20:00",
        ),
    ],
)
def test_dates_come_in_many_forms(words: dict[str, str], start: str | None, end: str | None) -> None:
    content = made(words=words)
    fcs = read_fcs(lambda offset, length: content[offset : offset + length], len(content))
    assert fcs is not None
    row = row_of(fcs, personal=False)
    assert (row.get("start"), row.get("end")) == (start, end)


def test_a_tail_that_never_begins_or_is_huge_costs_little() -> None:
    assert analytes_of(b"\0" * 1000 + END) == []
    opened = ("<ExperimentSchema>" + "<AcquisitionMarkers><Mass>1</Mass>" * 20_000 + "</ExperimentSchema>").encode(
        "utf-16-le"
    )
    assert len(analytes_of(opened)) == 200


# --- the instrument ---------------------------------------------------------------------------------------------------


def test_its_habits() -> None:
    habits = INSTRUMENT.habits
    assert (habits.settle, habits.quiet, habits.on_change) == (
        timedelta(minutes=15),
        timedelta(minutes=30),
        OnChange.KEEP_BOTH,
    )
    assert (habits.datasets, habits.parts, habits.fields) == (("folders", "whole"), (), ())


def test_it_recognises_its_names() -> None:
    paths = ["s/", "x.imd/", "s/a.IMD", "s/a_01.fcs", "s/old.rd8", "s/a.txt", "s/a.conf", "s/0877408774.B08"]
    assert INSTRUMENT.recognise(paths) == (3, "names such as a.IMD")
    assert INSTRUMENT.recognise(["a.txt"]) == (0, "")


def test_no_file_is_a_marker(cytof: Path) -> None:
    job = job_of(cytof)
    for dataset in INSTRUMENT.find(open_store(job.source), job):
        assert INSTRUMENT.marker(dataset, "a.imd") is None
