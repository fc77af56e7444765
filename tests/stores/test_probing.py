"""Which folders did probes leave that were ended?"""

from __future__ import annotations

from coldchain.stores.probing import abandoned, is_probing_folder, probing_folder

MINE, OLD, YOUNG, OTHER = ".coldchain/probe-1", ".coldchain/probe-2", ".coldchain/probe-3", ".coldchain/manifests"


def test_only_old_folders_of_probes_are_left_over() -> None:
    assert list(abandoned({MINE: 1600.5, OLD: 1000.0, YOUNG: 1000.5, OTHER: 0.0}, MINE)) == [OLD]


def test_where_the_time_of_the_place_is_not_known_nothing_is() -> None:
    assert list(abandoned({OLD: 0.0, YOUNG: 1e9}, MINE)) == []


def test_each_probe_has_a_folder_of_its_own() -> None:
    first, second = probing_folder(), probing_folder()
    assert first != second
    assert is_probing_folder(first)
    assert not is_probing_folder(OTHER)
