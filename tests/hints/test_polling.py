"""Do looks find what changed?"""

from __future__ import annotations

from collections.abc import Iterator

from coldchain.errors import StoreGone
from coldchain.hints.base import NOTHING
from coldchain.hints.polling import Polling
from coldchain.model import Entry, Oddity


class _Listed:
    def __init__(self) -> None:
        self.files = {"a/1": Entry("a/1", 1, 1), "b/c/2": Entry("b/c/2", 1, 1), "top": Entry("top", 1, 1)}
        self.gone = False

    def __call__(self) -> Iterator[Entry | Oddity]:
        if self.gone:
            raise StoreGone("it is gone")
        return iter([self.files[path] for path in sorted(self.files)])


def _never() -> bool:
    return False


def test_a_look_names_the_folders_in_which_something_came_changed_or_went() -> None:
    listed = _Listed()
    polling = Polling(listed, 0.0)
    assert polling.wait(0, _never).everywhere
    assert polling.wait(0, _never) == NOTHING
    listed.files["b/c/3"] = Entry("b/c/3", 1, 1)
    assert polling.wait(0, _never).paths == {"b/c/"}
    listed.files["top"] = Entry("top", 2, 1)
    assert polling.wait(0, _never).paths == {""}
    del listed.files["a/1"]
    assert polling.wait(0, _never).paths == {"a/"}


def test_a_file_that_only_moved_within_a_folder_is_found() -> None:
    listed = _Listed()
    polling = Polling(listed, 0.0)
    polling.wait(0, _never)
    listed.files["a/2"] = listed.files.pop("a/1")._replace(path="a/2")
    assert polling.wait(0, _never).paths == {"a/"}


def test_a_source_that_cannot_be_listed_is_to_be_looked_at_and_again_when_it_can() -> None:
    listed = _Listed()
    polling = Polling(listed, 0.0)
    polling.wait(0, _never)
    listed.gone = True
    assert "cannot be listed" in polling.wait(0, _never).everywhere
    listed.gone = False
    assert polling.wait(0, _never).everywhere


def test_nothing_is_listed_before_its_time() -> None:
    listed = _Listed()
    polling = Polling(listed, 3600.0)
    polling.wait(0, _never)
    listed.gone = True
    assert polling.wait(0.01, _never) == NOTHING
