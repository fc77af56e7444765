"""Does the contract suite notice a store that lists or reads wrongly?

Each mutant is a place in memory with one fault; the named test of the contract must fail for it.
"""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable, Collection, Iterator
from typing import Any

import pytest

from coldchain.errors import NotFound
from coldchain.model import Entry, Oddity
from coldchain.stores.base import CHUNK_BYTES, Traits
from coldchain.stores.names import NameRules
from coldchain.testing import MemoryStore
from coldchain.testing.memory_staging import MemoryReader

MUTANTS: list[tuple[type[MemoryStore], str, dict[str, Any]]] = []
Notices = Callable[[type[MemoryStore], str, dict[str, Any]], bool]


def noticed_by(test: str, **arguments: Any) -> Callable[[type[MemoryStore]], type[MemoryStore]]:
    def add(mutant: type[MemoryStore]) -> type[MemoryStore]:
        MUTANTS.append((mutant, test, arguments))
        return mutant

    return add


@noticed_by("test_a_listing_ascends_by_code_point_of_the_whole_key")
class ListsByName(MemoryStore):
    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        yield from sorted(super().list(prefix, without=without), key=lambda item: item.path.split("/"))


@noticed_by("test_a_listing_ascends_by_code_point_of_the_whole_key")
class ListsAsUtf16(MemoryStore):
    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        items = super().list(prefix, without=without)
        yield from sorted(items, key=lambda item: item.path.encode("utf-16-be", "surrogatepass"))


@noticed_by("test_bytes_that_are_no_text_sort_between_the_letters_and_the_private_use_area")
class ListsAsBytes(MemoryStore):
    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        items = super().list(prefix, without=without)
        yield from sorted(items, key=lambda item: item.path.encode("utf-8", "surrogateescape"))


@noticed_by("test_a_prefix_is_a_folder_and_no_mere_beginning_of_a_name")
class ListsByBeginning(MemoryStore):
    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        yield from (item for item in super().list(without=without) if item.path.startswith(prefix))


@noticed_by("test_folders_that_are_left_out_are_not_entered")
class EntersEverything(MemoryStore):
    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        return super().list(prefix)


@noticed_by("test_a_prefix_that_is_not_there_is_just_empty")
class MissesPrefixes(MemoryStore):
    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        if not (items := list(super().list(prefix, without=without))):
            raise NotFound("nothing here", url=self.url, key=prefix)
        return iter(items)


@noticed_by("test_a_root_that_is_not_there_is_not_empty")
class TakesAbsentForEmpty(MemoryStore):
    def list(self, prefix: str = "", *, without: Collection[str] = ()) -> Iterator[Entry | Oddity]:
        try:
            yield from super().list(prefix, without=without)
        except NotFound:
            return


@noticed_by("test_folders_are_the_names_directly_below")
class NamesFoldersByPath(MemoryStore):
    def folders(self, prefix: str = "") -> Iterator[str]:
        return (f"{prefix}/{name}" if prefix else name for name in super().folders(prefix))


@noticed_by("test_what_is_not_there_is_not_found")
class ForgetsTheKey(MemoryStore):
    def stat(self, key: str) -> Entry:
        try:
            return super().stat(key)
        except NotFound as error:
            raise NotFound(error.reason, url=self.url) from error


@noticed_by("test_what_is_not_there_is_not_found")
class DeletesTheAbsent(MemoryStore):
    def delete(self, key: str) -> None:
        try:
            super().delete(key)
        except NotFound:
            return


@noticed_by("test_the_same_place_opened_twice_shows_the_same")
class ForgetsItsVolume(MemoryStore):
    def volume(self) -> str:
        return str(uuid.uuid4())


@noticed_by("test_the_leftovers_of_a_killed_run_are_its_owner_s")
class ClaimsAllLeftovers(MemoryStore):
    def is_leftover(self, key: str, owner: str) -> bool:
        return key.startswith(".coldchain/staging/")


@noticed_by("test_the_leftovers_of_a_killed_run_are_its_owner_s")
class ClaimsByBeginning(MemoryStore):
    def is_leftover(self, key: str, owner: str) -> bool:
        return f"-of-{owner}" in key


@noticed_by("test_data_are_no_leftovers", key="job1")
class TakesDataForLeftovers(MemoryStore):
    def is_leftover(self, key: str, owner: str) -> bool:
        return owner in key


@noticed_by("test_probing_leaves_nothing_behind")
class LeavesProbes(MemoryStore):
    def probe_names(self) -> NameRules:
        self.put(".coldchain-probe", b"")
        return super().probe_names()


@noticed_by("test_names_arrive_unchanged_or_are_refused")
class UnquotesNames(MemoryStore):
    def __init__(self, url: str) -> None:
        super().__init__(url, respell=lambda key: key.replace("%41", "A"))


@noticed_by("test_names_are_confused_only_if_probing_said_so", one="Plate", other="plate")
class FoldsInSecret(MemoryStore):
    def __init__(self, url: str) -> None:
        super().__init__(url, rules=NameRules(folds_case=True))

    def probe_names(self) -> NameRules:
        return dataclasses.replace(super().probe_names(), folds_case=False)


@noticed_by("test_the_time_of_the_source_is_kept", mtime_ns=1_600_000_001_123_456_789)
class RoundsInSecret(MemoryStore):
    def __init__(self, url: str) -> None:
        super().__init__(url, traits=Traits(mtime_step_ns=2_000_000_000))
        self.traits = Traits()


class _StuckReader(MemoryReader):
    def look_again(self) -> Entry:
        self.first: Entry = getattr(self, "first", super().look_again())
        return self.first


@noticed_by("test_looking_again_sees_a_change")
class LooksOnlyOnce(MemoryStore):
    def read(self, key: str, *, past_cache: bool = False) -> MemoryReader:
        return _StuckReader(self._volume, key, self._volume.find(key))


class _CrumblingReader(MemoryReader):
    def chunks(self) -> Iterator[bytes]:
        for chunk in super().chunks():
            yield chunk[: len(chunk) // 2]
            yield chunk[len(chunk) // 2 :]


@noticed_by("test_pieces_are_no_larger_than_a_chunk", size_bytes=1, past_cache=False)
class ReadsInCrumbs(MemoryStore):
    def read(self, key: str, *, past_cache: bool = False) -> MemoryReader:
        return _CrumblingReader(self._volume, key, self._volume.find(key))


class _ByName(MemoryReader):
    def chunks(self) -> Iterator[bytes]:
        for offset in range(0, self.entry.size_bytes, CHUNK_BYTES):
            yield bytes(self._volume.find(self._key).content[offset : offset + CHUNK_BYTES])


@noticed_by("test_who_opened_a_file_before_it_was_replaced_reads_no_mixture")
class ReadsByName(MemoryStore):
    def read(self, key: str, *, past_cache: bool = False) -> MemoryReader:
        return _ByName(self._volume, key, self._volume.find(key))


@pytest.mark.parametrize(
    ("mutant", "test", "arguments"), MUTANTS, ids=[f"{mutant.__name__}-{test[5:40]}" for mutant, test, _ in MUTANTS]
)
def test_the_contract_notices(
    contract_notices: Notices, mutant: type[MemoryStore], test: str, arguments: dict[str, Any]
) -> None:
    assert contract_notices(mutant, test, arguments)
