"""What does coldchain remember?  The one door to the ledger: everything else in this package stands behind it.

Times come in aware of their zone.  Streams are read page by page: they may be left at any point, and what is recorded
meanwhile neither disturbs them nor waits for them.  All trouble with the database is a ``ColdchainError``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import select

from coldchain.ledger.acquisitions import Acquisition, Acquisitions
from coldchain.ledger.columns import canonical_json
from coldchain.ledger.database import Database
from coldchain.ledger.events import ChainReport, Draft, Event, Events
from coldchain.ledger.lock import job_lock
from coldchain.ledger.messages import Fate, Messages, Post, Told
from coldchain.ledger.opening import IN_MEMORY, in_memory, open_for_reading, open_for_writing
from coldchain.ledger.places import Places
from coldchain.ledger.recording import At, Recording
from coldchain.ledger.records import Records, TallyRow
from coldchain.ledger.runs import RunRow, Runs
from coldchain.ledger.schema import meta
from coldchain.ledger.settling import Look, Settling
from coldchain.model import Identity, Record, SourceSeen, Trouble, Verified
from coldchain.verdict import Condition, Verdict


class Ledger:
    """An open ledger; several threads may use it, one at a time is served."""

    id: str
    """Made with the ledger and never changed: 32 hexadecimal digits."""

    def __init__(self, database: Database) -> None:
        """Use ``open`` or ``open_read_only``."""
        self._database = database
        self._places = Places(database)
        self._events = Events(database)
        self._records = Records(database, self._places)
        self._recording = Recording(database, self._places, self._events)
        self._runs = Runs(database, self._places, self._events)
        self._settling = Settling(database, self._places)
        self._acquisitions = Acquisitions(database, self._places, self._events)
        self._messages = Messages(database, self._events)
        one = select(meta.c.value).where(meta.c.name == "id")
        self.id = database.read(lambda connection: connection.execute(one).scalar()) or ""
        if not self.id:
            database.close()
            raise database.where.damaged("it has no name")

    @classmethod
    def open(cls, url: str, *, create: bool = True, now: datetime) -> Ledger:
        """Open the ledger at ``sqlite:///absolute/path`` or ``postgresql://...`` for reading and writing.

        Makes it (folder 0700, file 0600) when there is none, unless ``create`` is false; updates an older schema.
        Raises LedgerError (none there, somebody else's, unreachable, no room), LedgerDamaged, LedgerNewer,
        LedgerReadOnly, ConfigurationError (a URL that is none).
        """
        return cls(open_for_writing(url, create=create, now=now))

    @classmethod
    def open_read_only(cls, url: str) -> Ledger:
        """Open the ledger so that nothing is written (P12); raises as ``open`` does, LedgerError when there is none."""
        return cls(open_for_reading(url))

    @classmethod
    def empty(cls, now: datetime) -> Ledger:
        """A ledger that holds nothing and leaves no trace, for looking where there is none yet."""
        return cls(in_memory(now))

    @property
    def in_memory(self) -> bool:
        """Whether it is one that leaves no trace."""
        return self._database.where.shown == IN_MEMORY

    def close(self) -> None:
        """Let go of it; afterwards every use raises LedgerError."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def head(self) -> tuple[int, str]:
        """Number and hash of the last event; ``(0, "")`` when there was none."""
        return self._events.head()

    def lock_job(self, job: str, folder: Path) -> AbstractContextManager[None]:
        """Hold the lock of a job for the life of the block; raises AlreadyRunning, naming who holds it."""
        return job_lock(self._database, job, folder)

    # --- places -------------------------------------------------------------------------------------------------------

    def source(self, job: str) -> SourceSeen | None:
        """How the source looked at the end of the last run (P10)."""
        return self._places.source(job)

    def see_source(self, job: str, seen: SourceSeen) -> None:
        """Remember how it looks."""
        self._places.see_source(job, seen)

    def destination(self, job: str, name: str) -> Identity | None:
        """Who the destination is to which the job's records under this name belong; None when it was never met."""
        return self._places.destination(job, name)

    def see_destination(self, job: str, name: str, url: str, identity: Identity, now: datetime) -> None:
        """Let this identity be the destination from now on; ``url`` holds no secret.

        Records of another identity stay, but no longer count; they count again when that identity comes back.
        """
        self._places.see_destination(job, name, url, identity, now)

    # --- records ------------------------------------------------------------------------------------------------------

    def datasets(self, job: str) -> list[str]:
        """Every dataset of the job that was ever met, ascending by code point."""
        return self._places.datasets(job)

    def stored(self, job: str, destination: str, dataset: str) -> Iterator[Record]:
        """Yield the records that are not superseded, ascending by code point of the path."""
        return self._records.stored(job, destination, dataset)

    def copies(self, job: str, dataset: str, path: str) -> list[tuple[str, Record]]:
        """Every record of one path, superseded ones too, each with its destination; by destination, current first."""
        return self._records.copies(job, dataset, path)

    def has_records(self, job: str, destination: str, dataset: str) -> bool:
        """Whether anything of a dataset is known at a destination."""
        return self._records.any(job, destination, dataset)

    def all_records(self, job: str, destination: str, dataset: str) -> Iterator[Record]:
        """Yield all records, superseded ones too, ascending by (path, key)."""
        return self._records.all(job, destination, dataset)

    def by_age(self, job: str, destination: str) -> Iterator[tuple[str, Record]]:
        """Yield (dataset, record), oldest proof first, superseded ones too; what is proved meanwhile comes once."""
        return self._records.by_age(job, destination)

    def find_path(self, path: str) -> list[tuple[str, str]]:
        """The (job, dataset) pairs that know this path: stored, once stored, or in trouble."""
        return self._records.find_path(path)

    def tallies(self, job: str) -> list[TallyRow]:
        """What lies of each dataset at each destination, ascending by dataset, then destination."""
        return self._records.tallies(job)

    def together(self) -> AbstractContextManager[object]:
        """A block in which all that is written is one transaction: durable when the block ends well, else nothing."""
        return self._database.write()

    def record(self, run: int, job: str, dataset: str, outcomes: Sequence[Verified], now: datetime) -> None:
        """Write down what was proved, and an event for each, in one transaction: durable when this returns.

        An outcome whose key is that of a record updates it.  With a key of its own it supersedes the other records
        of its path.  The events are ``stored``, ``replaced``, ``kept-both``, ``adopted``, ``proved-again`` (ADOPT of
        what was recorded) and ``repaired`` (sent again with the digest that it had).
        """
        self._recording.record(At(run, job, dataset, now), outcomes)

    def refresh(
        self, run: int, job: str, dataset: str, destination: str, records: Sequence[Record], now: datetime
    ) -> None:
        """Update how the source looks, and the proof, of records that stand; others are passed over.

        Size, digest, time of storing and ``superseded`` stay as they are.  The event is ``touched`` when the time
        of the proof is the recorded one, else ``proved``.
        """
        self._recording.refresh(At(run, job, dataset, now), destination, records)

    def forget(  # noqa: PLR0913, PLR0917 - each is needed, and the order is that of ``refresh``
        self,
        run: int,
        job: str,
        dataset: str,
        destination: str,
        record: Record,
        why: str,
        now: datetime,
        *,
        corrupt: bool | None = None,
    ) -> None:
        """Remove a record whose copy is gone (event ``lost``) or wrong (``corrupt``).

        ``corrupt`` None: it is when ``why`` begins with that word.
        """
        wrong = why.startswith("corrupt") if corrupt is None else corrupt
        self._recording.forget(At(run, job, dataset, now), destination, record, ("corrupt" if wrong else "lost", why))

    def rebuild(
        self, run: int, job: str, dataset: str, destination: str, records: Iterable[Record], now: datetime
    ) -> int:
        """Write down records as a manifest tells them, where none stands (event ``rebuilt``); returns how many.

        One transaction; hand over some thousand at a time.
        """
        return self._recording.rebuild(At(run, job, dataset, now), destination, records)

    # --- runs ---------------------------------------------------------------------------------------------------------

    def begin_run(self, job: str, command: str, now: datetime) -> int:
        """Begin a run and return its number; proves that the ledger can be written."""
        return self._runs.begin(job, command, now)

    def end_run(self, run: int, now: datetime, exit_code: int, summary: Mapping[str, object]) -> None:
        """Write down how the run ended; ``summary`` is anything JSON can hold."""
        self._runs.end(run, now, exit_code, summary)

    def unfinished(self, job: str) -> bool:
        """Whether the last run of the job was killed, or there was none; ask before ``begin_run``."""
        return self._runs.unfinished(job)

    def runs(self, job: str | None = None, limit: int = 50) -> list[RunRow]:
        """Runs, newest first."""
        return list(self._runs.list(job, limit))

    def run(self, number: int) -> RunRow:
        """One run; raises UsageError when there is no such run."""
        return self._runs.one(number)

    def runs_since(self, job: str, since: datetime) -> Iterator[RunRow]:
        """Yield the runs of a job that began at a time or later, newest first."""
        return self._runs.since(job, since)

    def add_troubles(self, run: int, job: str, dataset: str, troubles: Sequence[Trouble]) -> None:
        """Remember which files are not verified, and why."""
        self._runs.add_troubles(run, job, dataset, troubles)

    def troubles(self, run: int) -> Iterator[tuple[str, Trouble]]:
        """Yield (dataset, trouble) of a run, as they came."""
        return self._runs.troubles(run)

    def last_troubles(self, job: str, dataset: str, path: str) -> list[tuple[int, Trouble]]:
        """(run, trouble) of one path, newest run first."""
        return list(self._runs.last_troubles(job, dataset, path))

    def forget_old_troubles(self, job: str, keep_runs: int) -> None:
        """Keep only the troubles of the newest ``keep_runs`` runs of the job."""
        self._runs.forget_old_troubles(job, keep_runs)

    # --- settling -----------------------------------------------------------------------------------------------------

    def looks(self, job: str, dataset: str) -> Callable[[str], Look | None]:
        """A function that says of a path how it looked when it had not settled, and since when.

        Paths that ascend are answered page by page; in any other order each may cost a question to the database.
        """
        return self._settling.looks(job, dataset)

    def set_looks(self, job: str, dataset: str, looks: Iterable[Look]) -> None:
        """Remember these, and forget all others of the dataset."""
        self._settling.set_looks(job, dataset, looks)

    # --- acquisitions -------------------------------------------------------------------------------------------------

    def acquisition(self, job: str, dataset: str) -> Acquisition | None:
        """What the instrument said of a dataset; None when it never did, or what was written cannot be made out."""
        return self._acquisitions.one(job, dataset)

    def acquisitions(self, job: str | None = None) -> Iterator[tuple[str, str, Acquisition]]:
        """Yield (job, dataset, acquisition), ascending by code point of the names."""
        return self._acquisitions.all(job)

    def conditions(self, job: str) -> dict[str, Condition]:
        """The condition of each dataset that was judged, ascending by code point; verdicts are not read for it."""
        return self._acquisitions.conditions(job)

    def judge(  # noqa: PLR0913, PLR0917 - each is needed, and the order is that of ``refresh``
        self,
        run: int,
        job: str,
        dataset: str,
        instrument: str,
        stamp: str,
        verdict: Verdict,
        remembered: Mapping[str, object],
        now: datetime,
    ) -> Acquisition:
        """Write down what the instrument says, and return it with its times; when nothing changed nothing is written.

        An event tells of a change: ``complete``, ``incomplete``, or ``reopened`` when it was complete and is not, or
        is so again with other files.
        """
        completed = now if verdict.condition is Condition.COMPLETE else None
        judged = Acquisition(instrument, stamp, verdict, remembered, now, now, completed)
        return self._acquisitions.judge(At(run, job, dataset, now), judged)

    def learn(self, job: str, dataset: str, told: Acquisition) -> bool:
        """Write down what a manifest tells of an acquisition, unless what stands is newer; returns whether it was.

        There is no event: the manifest is what tells of it.
        """
        return self._acquisitions.learn(job, dataset, told)

    # --- messages -----------------------------------------------------------------------------------------------------

    def post(self, posts: Iterable[Post], told: Iterable[Told], now: datetime) -> None:
        """Put messages into the spool and remember what they tell, in one transaction; no message is put there twice.

        What was sent or given up 90 days ago is forgotten.
        """
        self._messages.post(posts, told, now)

    def told(self, channel: str, topic: Sequence[str]) -> Told | None:
        """What a channel told last of a topic, None for nothing."""
        return self._messages.told(channel, topic)

    def claim_message(
        self, by: str, now: datetime, without: Collection[tuple[str, str]] = (), *, early: bool = False
    ) -> Post | None:
        """Take the oldest message that is due, so that nobody else sends it for two minutes; None when there is none.

        ``without`` names (channel, way) pairs that are left alone; ``early`` takes what waits for its next try too.
        """
        return self._messages.claim(by, now, without, early=early)

    def settle_message(self, post: Post, now: datetime, wait: timedelta | None = None) -> None:
        """Write down what came of a claimed message; one that is still waiting is due again after ``wait``.

        One that was given up leaves the event ``message-given-up``.
        """
        self._messages.settle(post, now, wait)

    def messages(self, state: Fate, limit: int = 100) -> list[Post]:
        """Messages in a state, oldest first."""
        return self._messages.all(state, limit)

    def count_messages(self, state: Fate) -> int:
        """How many messages are in a state."""
        return self._messages.count(state)

    # --- history ------------------------------------------------------------------------------------------------------

    def note(self, run: int, kind: str, job: str, detail: Mapping[str, object], now: datetime) -> None:
        """Write any other event: a destination was accepted, a manifest written; ``detail`` holds no secret."""
        with self._database.write() as connection:
            self._events.append(connection, run, now, [Draft(kind, job, detail=canonical_json(detail))])

    def events(
        self,
        *,
        job: str | None = None,
        dataset: str | None = None,
        path: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Event]:
        """Yield what happened, ascending by number; with a limit only the newest."""
        return self._events.find(job, dataset, path, limit)

    def verify_chain(self) -> ChainReport:
        """Walk all events and compute their hashes again."""
        return self._events.verify_chain()
