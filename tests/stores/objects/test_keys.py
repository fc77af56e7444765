"""Which keys of a bucket can be no file?"""

from __future__ import annotations

import pytest

from coldchain.stores.objects.keys import fault_in, is_note, note_of


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("a\ud800", "not UTF-8"),
        ("\udfffa/b", "not UTF-8"),
        ("é/\udc80", "not UTF-8"),
        ("a\0b", "character 0"),
        ("a//b", "without a name"),
        ("/a", "without a name"),
        ("a/", "without a name"),
        ("", "without a name"),
        ("a/./b", "another folder"),
        ("a/..", "another folder"),
        ("..", "another folder"),
    ],
)
def test_p16_what_no_file_system_keeps_is_told(path: str, reason: str) -> None:
    assert reason in fault_in(path)


@pytest.mark.parametrize("path", ["a", "a/b", "é", "\ud7ff\ue000", "...", "a/.b/..c", " ", "\n", ".coldchain/x"])
def test_what_a_file_can_be_called_is_no_fault(path: str) -> None:
    assert fault_in(path) == ""


def test_p11_a_note_says_whose_it_is() -> None:
    mine, nobodys = note_of("mine"), note_of("")
    assert note_of("mine") != mine
    assert is_note(mine, "mine")
    assert is_note(mine)
    assert is_note(nobodys, "_")
    assert not is_note(mine, "min")
    assert not is_note(mine, "other")
    assert not is_note(f"x{mine}", "mine")
    assert fault_in(mine) == ""
