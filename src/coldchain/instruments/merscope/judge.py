"""Is a run whole, all of its parts together?

A part is judged by its own arithmetic; the markers say when the instrument and its analysis had done with it.  A part
that is not there cannot be judged: whether it should be there is told by the markers and by what the job asks for.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from coldchain.errors import NotFound, StoreError
from coldchain.instruments.base import Look
from coldchain.instruments.merscope.catalogue import catalogue_of
from coldchain.instruments.merscope.finding import Finding, shown
from coldchain.instruments.merscope.headers import Experiment, Texts, read_experiment
from coldchain.instruments.merscope.names import (
    ANALYSIS,
    EXPERIMENT_FINISHED,
    MERLIN_FINISHED,
    MERLIN_START,
    OUTPUT,
    RAW,
    RAW_FINISHED,
    RAW_TREE,
)
from coldchain.instruments.merscope.output import Output
from coldchain.instruments.merscope.raw import EXPERIMENT, RawData
from coldchain.model import Dataset, Entry, Part, Tally
from coldchain.verdict import KEPT, Condition, Verdict

QUIET = timedelta(hours=6)
"""Between two rounds of imaging the fluidics work for an hour and more, and the analysis computes in silence."""
RIPE = timedelta(minutes=5)
"""A marker says nothing before it is so old: HHMI Janelia's transfer waits for that."""
_SAID = 4
"""So many reasons are given in a summary."""


class _Beside(NamedTuple):
    """What is known of the folder of the raw data, where the job does not carry it."""

    root: str
    there: bool


class RunJudge:
    """Judges one run."""

    def __init__(self, dataset: Dataset, look: Look) -> None:
        self._look = look
        self._roots = {part.name: part.root for part in dataset.parts}
        self._run = dataset.parts[0].root.rpartition("/")[2]
        self._raw = RawData(self._roots[RAW]) if RAW in self._roots else None
        self._output = Output(self._roots[OUTPUT]) if OUTPUT in self._roots else None
        self._parts = list(dataset.parts)
        self._at = 0
        self._counts = {part.name: [0, 0] for part in dataset.parts}
        self._newest: Entry | None = None
        self._latest_ns = int((look.now + QUIET).timestamp() * 1e9)
        self._texts = Texts(look)

    def see(self, entry: Entry) -> None:
        part = self._part_of(entry.path)
        if part is None:
            return
        count = self._counts[part.name]
        count[0] += 1
        count[1] += entry.size_bytes
        if (self._newest is None or entry.mtime_ns > self._newest.mtime_ns) and entry.mtime_ns <= self._latest_ns:
            self._newest = entry
        if part.name == RAW and self._raw is not None:
            self._raw.see(entry)
        elif part.name == OUTPUT and self._output is not None:
            self._output.see(entry)

    def _part_of(self, path: str) -> Part | None:
        for _ in self._parts:
            part = self._parts[self._at]
            if path.startswith(part.root) and path[len(part.root) : len(part.root) + 1] == "/":
                return part
            self._at = (self._at + 1) % len(self._parts)
        return None

    # --- the verdict --------------------------------------------------------------------------------------------------

    def verdict(self) -> Verdict:
        run = Finding("")
        findings: list[Finding] = []
        if self._raw is not None:
            findings.append(self._judge_raw(self._raw))
        experiment = self._experiment()
        if self._output is not None:
            findings.append(self._output.finding(self._look, self._texts, experiment.region_count))
        if ANALYSIS in self._roots:
            findings.append(Finding(ANALYSIS, facts=[f"{self._counts[ANALYSIS][0]:,} files of analysis"]))
        waits = self._judge_computing(run)
        findings.append(run)
        condition, summary = self._conclude(findings, waits=waits)
        rows = self._output.rows if self._output else []
        tallies = {part: Tally(*count) for part, count in self._counts.items()}
        return Verdict(
            condition,
            summary,
            tuple(name for finding in findings for name in finding.missing)[:KEPT],
            sum(finding.missing_count for finding in findings),
            {path: reason for finding in findings for path, reason in finding.unwhole.items()},
            tuple(self._texts.remarks),
            catalogue_of(self._run, experiment, rows, tallies, personal=self._look.job.personal),
            tuple(rows),
        )

    def _conclude(self, findings: list[Finding], *, waits: bool) -> tuple[Condition, str]:
        open_ = self._look.while_open(self._newest, QUIET)
        if lacks := _said(reason for finding in findings for reason in finding.lacks):
            return open_, lacks
        if doubts := _said(reason for finding in findings for reason in finding.doubts):
            return Condition.UNKNOWN, doubts
        if waits and open_ is Condition.ACQUIRING:
            return open_, "the raw data are whole, the analysis has not begun"
        return Condition.COMPLETE, _said(fact for finding in findings for fact in finding.facts)

    def _experiment(self) -> Experiment:
        if self._raw is not None:
            return self._raw.experiment
        path = f"{self._beside().root}/{EXPERIMENT}"
        try:
            self._look.source.stat(path)
        except StoreError:
            return Experiment()
        return read_experiment(Texts(self._look), path)  # remarks on a file outside of the dataset help nobody

    # --- markers ------------------------------------------------------------------------------------------------------

    def _judge_raw(self, raw: RawData) -> Finding:
        """The raw data, and the marker that says that they are all there.

        On the drive of the acquisition computer, from which they are copied, nothing need come after
        EXPERIMENT_FINISHED; whether the other marker ever lies there is not known.
        """
        finding = raw.finding(self._texts)
        marker = raw.files.get(RAW_FINISHED)
        if marker is None and self._raw_alone():
            self._ripe(raw.files.get(EXPERIMENT_FINISHED), EXPERIMENT_FINISHED, finding)
        else:
            self._ripe(marker, RAW_FINISHED, finding)
        return finding

    def _raw_alone(self) -> bool:
        """Whether the raw data lie outside of ``merfish_raw_data``: nothing is analysed there."""
        return RAW in self._roots and self._roots[RAW].split("/")[-2:-1] != [RAW_TREE]

    def _judge_computing(self, run: Finding) -> bool:
        """Say what is missing of analysis and output; whether they may still come, although nothing says so yet."""
        asked = self._look.job.parts or (RAW, ANALYSIS, OUTPUT)
        if self._raw is None:
            self._judge_beside(run)
            return False
        computed = {ANALYSIS, OUTPUT} & self._roots.keys()
        if not {ANALYSIS, OUTPUT} & set(asked) or (self._raw_alone() and not computed):
            return False
        files = self._raw.files
        if not computed and MERLIN_START not in files and MERLIN_FINISHED not in files:
            return True
        self._ripe(files.get(MERLIN_FINISHED), MERLIN_FINISHED, run)
        # Only the output must be there: a laboratory may well throw the analysis away, which is as large as the raw
        # data and can be made again, unless the job asks for it by name.
        must = (OUTPUT, *self._look.job.parts)
        run.absent(
            f"the {part}" for part in (ANALYSIS, OUTPUT) if part in asked and part in must and part not in computed
        )
        return False

    def _judge_beside(self, run: Finding) -> None:
        """The marker lies in the folder of the raw data: seen only where the source holds that."""
        beside = self._beside()
        self._look.sure = False  # it may come without that any file of this dataset changes
        try:
            self._ripe(self._look.source.stat(f"{beside.root}/{MERLIN_FINISHED}"), MERLIN_FINISHED, run)
        except NotFound:
            if beside.there:
                run.lacks.append(f"{MERLIN_FINISHED} is not there")
            else:
                run.doubts.append(f"{MERLIN_FINISHED} lies with the raw data, which this source does not hold")
        except StoreError as error:
            run.doubts.append(f"{MERLIN_FINISHED} cannot be looked for: {error.reason}")

    def _beside(self) -> _Beside:
        base = "".join(self._parts[0].root.rpartition("/")[0].rpartition("/")[:2])
        root = f"{base}{RAW_TREE}/{self._run}"
        try:
            return _Beside(root, self._run in self._look.source.folders(f"{base}{RAW_TREE}"))
        except StoreError:
            return _Beside(root, there=False)

    def _ripe(self, marker: Entry | None, name: str, finding: Finding) -> None:
        """A marker must be there, and for some minutes."""
        if marker is None:
            finding.lacks.append(f"{name} is not there")
            return
        age = self._look.age(marker)
        if age <= -QUIET:
            finding.lacks.append(f"{name} has a time stamp that lies in the future: set the clock, and touch the file")
        elif age < RIPE:
            finding.lacks.append(f"{name} is younger than {RIPE // timedelta(minutes=1)} minutes")


def _said(phrases: Iterable[str]) -> str:
    """Some phrases in one sentence, each once."""
    said = list(dict.fromkeys(map(shown, phrases)))
    return "; ".join(said[:_SAID]) + ("; …" if len(said) > _SAID else "")
