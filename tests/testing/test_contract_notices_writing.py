"""Does the contract suite notice a store that writes wrongly?

Each mutant is a place in memory with one fault; the named test of the contract must fail for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from coldchain.errors import NotFound, Occupied, StoreError
from coldchain.model import Entry
from coldchain.testing import MemoryStore
from coldchain.testing.memory_staging import MemorySink, MemoryStaging
from coldchain.testing.volume import HeldFile, Volume

MUTANTS: list[tuple[type[MemoryStore], str, dict[str, Any]]] = []
Notices = Callable[[type[MemoryStore], str, dict[str, Any]], bool]


def noticed_by(test: str, **arguments: Any) -> Callable[[type[MemoryStore]], type[MemoryStore]]:
    def add(mutant: type[MemoryStore]) -> type[MemoryStore]:
        MUTANTS.append((mutant, test, arguments))
        return mutant

    return add


class WithStaging(MemoryStore):
    """A mutant whose staging is a mutant."""

    kind: type[MemoryStaging] = MemoryStaging

    def stage(self, owner: str = "") -> MemoryStaging:
        return self.kind(self._volume, owner)


class _Overwriting(MemoryStaging):
    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        for key in keys:
            if self.volume.fold(key) in self.volume.files:
                self.volume.remove(key)
        return super().publish(dict.fromkeys(keys))


@noticed_by("test_a_name_that_is_taken_is_occupied_and_spoils_no_other")
@noticed_by("test_what_looks_another_one_is_not_replaced")
@noticed_by("test_what_is_gone_is_not_replaced")
@noticed_by("test_of_many_that_want_one_name_one_gets_it")
class OverwritesAnything(WithStaging):
    kind = _Overwriting


class _AllOrNothing(MemoryStaging):
    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        for key in keys:
            self.volume.refuse_taken(key)
        return super().publish(keys)


@noticed_by("test_a_name_that_is_taken_is_occupied_and_spoils_no_other")
class RaisesForAll(WithStaging):
    kind = _AllOrNothing


class _Direct(MemoryStaging):
    def open(self, key: str, entry: Entry) -> MemorySink:
        self.volume.add(key, HeldFile(key))
        return super().open(key, entry)


@noticed_by("test_nothing_is_visible_before_it_is_published")
class ShowsTooEarly(WithStaging):
    kind = _Direct


class _Messy(MemoryStaging):
    def close(self) -> None:
        pass


@noticed_by("test_closing_forgets_everything_that_was_not_published")
class LeavesTemporaries(WithStaging):
    kind = _Messy


class _Keeping(MemoryStaging):
    def discard(self, key: str) -> None:
        pass


@noticed_by("test_a_discarded_file_leaves_nothing_behind")
class DiscardsNothing(WithStaging):
    kind = _Keeping


class _Unfinished(MemoryStaging):
    def open(self, key: str, entry: Entry) -> MemorySink:
        sink = super().open(key, entry)
        sink.close()
        return sink


@noticed_by("test_a_file_that_is_not_closed_is_never_published")
class PublishesTheUnfinished(WithStaging):
    kind = _Unfinished


class _Late(MemoryStaging):
    """Looks at the pieces only when the file is closed."""

    def open(self, key: str, entry: Entry) -> MemorySink:
        sink = super().open(key, entry)
        pieces: list[bytes | memoryview] = []
        write, close = sink.write, sink.close

        def write_all() -> None:
            for piece in pieces:
                write(piece)
            close()

        sink.write, sink.close = pieces.append, write_all  # type: ignore[method-assign,assignment]
        return sink


@noticed_by("test_a_piece_may_be_overwritten_as_soon_as_it_was_taken")
class KeepsHoldOfPieces(WithStaging):
    kind = _Late


class _Reporting(MemoryStaging):
    def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
        results = super().publish(keys)
        return {key: r._replace(ctime_ns=0) if isinstance(r, Entry) else r for key, r in results.items()}


@noticed_by("test_the_result_is_what_now_stands_there")
class ReportsAnEarlierLook(WithStaging):
    kind = _Reporting


class _Exclusive(MemoryStaging):
    def __init__(self, volume: Volume, owner: str) -> None:
        super().__init__(volume, owner)
        for key in [key for key in volume.files if key.startswith(".coldchain/staging/")]:
            volume.remove(key)


@noticed_by("test_two_owners_can_write_the_same_folder_at_once")
class CleansUpAfterOthers(WithStaging):
    kind = _Exclusive


@noticed_by("test_a_file_and_a_folder_cannot_share_a_name")
class ForgetsWhatIsOccupied(WithStaging):
    class kind(MemoryStaging):  # noqa: N801
        def publish(self, keys: Mapping[str, Entry | None]) -> dict[str, Entry | StoreError]:
            results = super().publish(keys)
            return {k: NotFound(r.reason) if isinstance(r, Occupied) else r for k, r in results.items()}


@pytest.mark.parametrize(
    ("mutant", "test", "arguments"), MUTANTS, ids=[f"{mutant.__name__}-{test[5:40]}" for mutant, test, _ in MUTANTS]
)
def test_the_contract_notices(
    contract_notices: Notices, mutant: type[MemoryStore], test: str, arguments: dict[str, Any]
) -> None:
    assert contract_notices(mutant, test, arguments)
