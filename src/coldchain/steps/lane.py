"""What does one destination do with the files of one batch?

A file is begun, takes its chunks, and is finished or cancelled; when all files of the batch are through, ``settle``
flushes, reads back, compares, and only then lets the names appear.  Where a place can show what it keeps only under its
name, the names appear first, and what turns out wrong is taken back.
"""

from __future__ import annotations

from typing import NamedTuple

from coldchain.content.digests import digest_of
from coldchain.errors import FlushFailed, NotAFile, NotFound, Occupied, StoreError, StoreGone
from coldchain.model import Digest, Entry, Manner, Outcome, ProofKind, State, Target, Trouble, Verified
from coldchain.steps.begun import note
from coldchain.steps.prove import prove
from coldchain.stores.base import Sink, Staging, Store


class _Finished(NamedTuple):
    entry: Entry
    target: Target
    digest: Digest


class _There(NamedTuple):
    """What was read of a stored copy."""

    entry: Entry
    digest: Digest
    how: str


class Lane:
    """One destination's part of a batch.  A file's trouble is kept as an outcome; nothing is raised to the reader."""

    def __init__(self, name: str, store: Store, owner: str, proof: ProofKind, volume: str, begun: str = "") -> None:
        """``begun``: the file in which it is written down what is about to be published (``steps.begun``), or ""."""
        self.name, self._begun = name, begun
        self.broken: StoreError | None = None
        """Why nothing more can be written to this store."""
        self._store, self._owner, self._proof, self._volume = store, owner, proof, volume
        self._staging: Staging | None = None
        self._now: tuple[Entry, Target] | None = None
        self._sink: Sink | None = None
        self._keys: set[str] = set()
        """Those that files of this batch were written for."""
        self._finished: list[_Finished] = []
        self._outcomes: list[Outcome] = []

    # --- one file after the other ----------------------------------------------------------------------------------

    def begin(self, entry: Entry, target: Target) -> None:
        """The next file comes; for ADOPT its content is only hashed, not written."""
        self._now = (entry, target)
        if self.broken is not None:
            self._fail(self.broken)
        elif target.manner is not Manner.ADOPT:
            try:
                self._take_name(target.key)
                self._sink = self._stage().open(target.key, entry)
            except StoreError as error:
                self._fail(error)

    def _take_name(self, key: str) -> None:
        """A version ("plate~v2.tif") can have the name that another file of the source has of its own."""
        if key in self._keys:
            raise Occupied("another file of this run is stored under this name")
        self._keys.add(key)

    def take(self, chunk: bytes | memoryview) -> None:
        """The next piece of its content."""
        if self._sink is not None:
            try:
                self._sink.write(chunk)
            except StoreError as error:
                self._fail(error)

    def finish(self, digest: Digest) -> None:
        """The source was read to its end and did not change."""
        if self._now is None:
            return
        entry, target = self._now
        if self._sink is not None:
            try:
                self._sink.close()
            except StoreError as error:
                self._fail(error)
                return
        self._finished.append(_Finished(entry, target, digest))
        self._now = self._sink = None

    def cancel(self) -> None:
        """The source could not be read to its end; the reader reports it."""
        if self._sink is not None:
            self._sink.abort()
        self._now = self._sink = None

    def _fail(self, error: StoreError) -> None:
        if self._now is not None:
            self._report(*self._now, error)
        self.cancel()

    def _report(self, entry: Entry, target: Target, error: StoreError) -> None:
        if error.ends_store and self.broken is None:
            self.broken = error.kept()
        state = State.REFUSED if isinstance(error, Occupied | NotAFile) else State.FAILED
        reason = f"{target.key}: {error.reason}" if isinstance(error, Occupied | NotAFile) else error.reason
        self._outcomes.append(Trouble(self.name, entry.path, entry.size_bytes, state, reason, error.temporary))

    def _stage(self) -> Staging:
        if self._staging is None:
            try:
                volume = self._store.volume()
            except NotFound as error:
                raise StoreGone("it is no longer there", url=self._store.url) from error
            if volume != self._volume:
                raise StoreGone("another volume lies there than when the run began", url=self._store.url)
            self._staging = self._store.stage(self._owner)
        return self._staging

    # --- the whole batch -------------------------------------------------------------------------------------------

    def settle(self) -> list[Outcome]:
        """Make everything durable, prove it, publish it; returns one outcome for each file that was begun."""
        try:
            if self._finished:
                self._settle()
        finally:
            self.close()
        return self._outcomes

    def close(self) -> None:
        """Take back what was not published."""
        if self._staging is not None:
            self._staging.close()
            self._staging = None

    def _settle(self) -> None:
        adopted = [file for file in self._finished if file.target.manner is Manner.ADOPT]
        staged = [file for file in self._finished if file.target.manner is not Manner.ADOPT]
        try:
            staging = self._stage()
            unsettled = _settle_each(staging, adopted)
            staging.flush()
        except StoreError as error:
            for file in self._finished:
                self._report(file.entry, file.target, error)
            return
        self._adopt_all(adopted, unsettled)
        if self._store.traits.proves_published:
            self._publish(staging, {file.target.key: (file, "") for file in staged})
            return
        proved = {file.target.key: (file, how) for file in staged if (how := self._prove(staging, file))}
        self._publish(staging, proved)

    def _prove(self, staging: Staging, file: _Finished) -> str:
        """See that it is there as it was sent; returns the means, or "" when the file is out of the batch."""
        try:
            how = prove(staging, file.target.key, file.digest, self._proof)
        except StoreError as error:
            self._report(file.entry, file.target, error)
            return ""
        if how:
            return how
        staging.discard(file.target.key)
        reason = "what the destination read back is not what was written"
        self._outcomes.append(
            Trouble(self.name, file.entry.path, file.entry.size_bytes, State.FAILED, reason, again=True, integrity=True)
        )
        return ""

    def _publish(self, staging: Staging, proved: dict[str, tuple[_Finished, str]]) -> None:
        """Let the names appear; a file whose means of proof is "" is proved after that."""
        wanted, standing = self._wanted(proved)
        if wanted and self._begun:
            files = (proved[key][0] for key in wanted)
            note(self._begun, self.name, ((file.entry, file.target.key, file.digest) for file in files))
        try:
            results = staging.publish(wanted) if wanted else {}
        except StoreError as error:
            results = dict.fromkeys(wanted, error.kept())
        for key, result in results.items():
            file, how = proved[key]
            if isinstance(result, Occupied) and file.target.manner is Manner.NEW:
                standing.append(file)
            elif isinstance(result, StoreError):
                self._report(file.entry, file.target, result)
            elif result.size_bytes != file.entry.size_bytes:
                self._report(file.entry, file.target, FlushFailed("the stored file has another size"))
            elif how := how or self._prove(staging, file):
                self._verified(file, result, how)
        if standing:
            self._adopt_standing(staging, standing)

    def _wanted(self, proved: dict[str, tuple[_Finished, str]]) -> tuple[dict[str, Entry | None], list[_Finished]]:
        """What ``Staging.publish`` is to be asked for, and the files that stand there already."""
        wanted: dict[str, Entry | None] = {}
        standing: list[_Finished] = []
        for key, (file, _) in proved.items():
            try:
                there = self._replaceable(file)
            except StoreError as error:
                self._report(file.entry, file.target, error)
                continue
            if there is not None and there.digest == file.digest:
                standing.append(file)
            else:
                wanted[key] = there.entry if there else None
        return wanted, standing

    def _adopt_standing(self, staging: Staging, files: list[_Finished]) -> None:
        """Adopt what was found only when the names should appear; it may be of an attempt whose flush failed (P4)."""
        try:
            unsettled = _settle_each(staging, files)
            staging.flush()
        except StoreError as error:
            for file in files:
                self._report(file.entry, file.target, error)
            return
        self._adopt_all(files, unsettled)

    def _adopt_all(self, files: list[_Finished], unsettled: dict[str, StoreError]) -> None:
        for file in files:
            if error := unsettled.get(file.target.key):
                self._report(file.entry, file.target, error)
            else:
                self._adopt(file)

    def _replaceable(self, file: _Finished) -> _There | None:
        """For REPLACE: the file that stands there, once its content was seen to be what coldchain stored (P5).

        That may be the new version already, of a run that was killed before it could record it.
        """
        if file.target.manner is not Manner.REPLACE:
            return None
        there = self._read(file.target.key, file.digest.algorithm)
        old = file.target.old_digest
        if there.digest == file.digest:
            return there
        if old is not None and old.algorithm != there.digest.algorithm:
            there = self._read(file.target.key, old.algorithm)
        if there.digest != old:
            raise Occupied("holds other bytes than coldchain stored there; they are left alone")
        return there

    def _adopt(self, file: _Finished) -> None:
        """Take what stands under the key for the copy, when its bytes are equal (P5)."""
        try:
            there = self._read(file.target.key, file.digest.algorithm)
        except StoreError as error:
            self._report(file.entry, file.target, NotFound("went away") if isinstance(error, NotFound) else error)
            return
        if there.digest == file.digest:
            self._verified(file, there.entry, there.how, manner=Manner.ADOPT)
            return
        old = file.target.old_digest
        if old is None or old == there.digest:
            whose = "coldchain did not store" if old is None else "are those of the version before"
            reason = f"{file.target.key}: other bytes stand there, which {whose}; they are left alone"
            trouble = Trouble(self.name, file.entry.path, file.entry.size_bytes, State.REFUSED, reason)
        else:
            reason = f"{file.target.key}: the stored copy is no longer what was stored (coldchain check --repair)"
            trouble = Trouble(self.name, file.entry.path, file.entry.size_bytes, State.FAILED, reason, integrity=True)
        self._outcomes.append(trouble)

    def _read(self, key: str, algorithm: str) -> _There:
        with self._store.read(key, past_cache=True) as reader:
            digest, _ = digest_of(algorithm, reader.chunks())
            return _There(reader.entry, digest, reader.how)

    def _verified(self, file: _Finished, there: Entry, how: str, *, manner: Manner | None = None) -> None:
        kind = ProofKind.CHECKSUM if how in self._store.traits.vouches else ProofKind.READBACK
        kind = ProofKind.SIZE if how == "stat" else kind
        self._outcomes.append(
            Verified(
                self.name,
                file.entry,
                file.target.key,
                file.digest,
                there.mtime_ns,
                kind,
                how,
                manner or file.target.manner,
                file.target.reason,
            )
        )


def _settle_each(staging: Staging, files: list[_Finished]) -> dict[str, StoreError]:
    """Let the next flush make them durable; returns, by key, what stands in the way of a single one.

    Raises what concerns all of them: the end of the store, and FlushFailed, for the system may tell of a failed flush
    only once, whoever asks (P4).
    """
    unsettled: dict[str, StoreError] = {}
    for file in files:
        try:
            staging.settle(file.target.key)
        except StoreError as error:
            if error.ends_store or isinstance(error, FlushFailed):
                raise
            unsettled[file.target.key] = error.kept()
    return unsettled
