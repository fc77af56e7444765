"""How do several datasets travel at once, each by its own rules?

A small dataset leaves workers idle while its last batch is flushed and proved, and costs a flush of its own.  So
batches reach across datasets; outcomes find their way back by the path.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from coldchain.content.batches import BATCH_BYTES, BATCH_FILES
from coldchain.ledger.ledger import Ledger
from coldchain.model import Action, Entry, Hold, Outcome, Refuse, Send, State, Trouble, Verified
from coldchain.monitor import Surroundings
from coldchain.operate.carry import Carrier, Gathering
from coldchain.operate.opening import Opened
from coldchain.operate.sampling import Sampling
from coldchain.steps.draft import DatasetDraft, Draft
from coldchain.steps.following import Following
from coldchain.steps.report import DatasetReport, Report
from coldchain.steps.scan import growing
from coldchain.steps.settle import Settling

DATASETS = 100
_FILES = 20 * BATCH_FILES
_BYTES = 64 * BATCH_BYTES

Waves = list[Iterator[Action]]


@dataclass(frozen=True, slots=True)
class Run:
    """One run under way."""

    opened: Opened
    ledger: Ledger
    around: Surroundings
    report: Report
    number: int
    sampling: Sampling


@dataclass(slots=True)
class Traveller:
    """One dataset of a convoy."""

    run: Run
    planned: DatasetDraft
    waves: Waves
    dataset: DatasetReport
    settling: Settling
    following: Following
    changed: set[str] = field(default_factory=set)
    """The destinations that hold something new."""
    moved: bool = False
    """Whether a file was sent as it was after planning."""
    late: list[Send] = field(default_factory=list)
    """Files whose path another dataset of the convoy has too; they go when that is through."""

    @classmethod
    def of(cls, run: Run, planned: DatasetDraft, waves: Waves) -> Traveller:
        """A dataset sets out."""
        opened = run.opened
        dataset = run.report.begin(planned.dataset.name, planned.selected, planned.kept)
        dataset.gone, dataset.recent = planned.gone, planned.recent
        now, busy = run.around.clock(), opened.source.busy
        settling = Settling(opened.settle, now, lambda path: None, busy, growing(opened.job))
        return cls(run, planned, waves, dataset, settling, Following(opened.instrument, planned.dataset))

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Record and count what came of some of its files."""
        run, job, name = self.run, self.run.opened.job.name, self.dataset.name
        verified = [outcome for outcome in outcomes if isinstance(outcome, Verified)]
        if verified:
            run.ledger.record(run.number, job, name, verified, run.around.clock())
            self.changed.update(outcome.destination for outcome in verified)
        self.following.heed(outcomes)
        self.dataset.add(outcomes)
        troubles = [outcome for outcome in outcomes if isinstance(outcome, Trouble)]
        if troubles:
            run.report.integrity += sum(trouble.integrity for trouble in troubles)
            run.ledger.add_troubles(run.number, job, name, troubles)
        run.around.monitor.finished(len(outcomes))


def convoys(draft: Draft) -> Iterator[list[tuple[DatasetDraft, Waves]]]:
    """Yield the datasets in their order, as many together as are worth it; a large one goes alone."""
    together: list[tuple[DatasetDraft, Waves]] = []
    files = size_bytes = 0
    for planned, waves in draft.by_dataset():
        if together and planned.to_read.files >= _FILES:  # nobody need remember whose its files are
            yield together
            together, files, size_bytes = [], 0, 0
        together.append((planned, waves))
        files += planned.to_read.files
        size_bytes += planned.to_read.size_bytes
        if files >= _FILES or size_bytes >= _BYTES or len(together) >= DATASETS:
            yield together
            together, files, size_bytes = [], 0, 0
    if together:
        yield together


def carry_convoy(carrier: Carrier, travellers: Sequence[Traveller], ledger: Ledger) -> None:
    """Carry some datasets and record them.

    What says that others are whole travels after them, and only where they all were verified.
    """
    only = travellers[0] if len(travellers) == 1 else None
    for number in range(max(len(one.waves) for one in travellers)):
        whose = _Whose(ledger, only)
        carrier.carry(_all_sends(travellers, number, whose), whose)
        for one in travellers:
            if one.late:
                late, one.late = one.late, []
                alone = _Whose(ledger, one)
                carrier.carry(alone.mark(one, late), alone)


class _Whose:
    """Knows of each path that is under way to which dataset it belongs."""

    def __init__(self, ledger: Ledger, only: Traveller | None) -> None:
        """Of the only dataset of a convoy no path is remembered, for it may have millions."""
        self._ledger, self._only = ledger, only
        self._travellers: dict[str, Traveller] = {}

    def mark(self, one: Traveller, sends: Iterable[Send]) -> Iterator[Send]:
        """Let files of a dataset through, and remember that they are its own."""
        for send in sends:
            if self._only is one or self._travellers.setdefault(send.entry.path, one) is one:
                yield send
            else:
                one.late.append(send)

    def reason_to_wait(self, entry: Entry) -> str:
        """See ``Settling.reason_to_wait``."""
        return self._of(entry.path).settling.reason_to_wait(entry)

    def moved(self, path: str) -> None:
        """A file is sent as it is now, not as it was when it was planned."""
        self._of(path).moved = True

    def _of(self, path: str) -> Traveller:
        return self._only or self._travellers[path]

    def take(self, outcomes: Sequence[Outcome]) -> None:
        """Hand outcomes to their datasets, in one transaction."""
        shares: dict[str, tuple[Traveller, list[Outcome]]] = {}
        for outcome in outcomes:
            path = outcome.entry.path if isinstance(outcome, Verified) else outcome.path
            one = self._of(path)
            shares.setdefault(one.dataset.name, (one, []))[1].append(outcome)
        if outcomes:
            with self._ledger.together():
                for one, share in shares.values():
                    one.take(share)


def _all_sends(travellers: Sequence[Traveller], number: int, whose: _Whose) -> Iterator[Send]:
    for one in travellers:
        if number < len(one.waves):
            decided = Gathering(one.take)
            sends = _sends(one.waves[number], one.run.report.destinations, decided)
            yield from whose.mark(one, one.following.allowed(sends, decided) if number else sends)
            decided.hand_over()


def _sends(actions: Iterator[Action], destinations: tuple[str, ...], decided: Gathering) -> Iterator[Send]:
    """Yield what is to be sent; what was decided while planning is gathered."""
    for action in actions:
        match action:
            case Send():
                yield action
            case Hold(entry, reason, names):
                decided.add(Trouble(n, entry.path, entry.size_bytes, State.HELD, reason) for n in names)
            case Refuse(path, size_bytes, reason, name, state):
                names = (name,) if name else destinations
                decided.add(Trouble(n, path, size_bytes, state, reason) for n in names)
