"""Is what a server does to names found out, and is nothing left behind?"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

import pytest

from coldchain.errors import Denied, NameRefused, Occupied, StoreError, StoreFull, Unreliable
from coldchain.stores.names import NameRules
from coldchain.stores.objects.bucket import Found
from coldchain.stores.objects.held import Held
from coldchain.testing.contract.acts import carry, everything
from tests.stores.objects.remembering import RememberingBucket, Server, store_of

PLAIN = NameRules(invalid_utf8=False, name_limit=1024, key_bytes=1000)


class Altering(RememberingBucket):
    """A server that keeps names in its own way."""

    def kept(self, path: str) -> str:
        """How it is kept; raises what it says of those that it does not keep."""
        return path

    def put(
        self, path: str, content: Held, metadata: Mapping[str, str], sums: Mapping[str, str], expected: Found | None
    ) -> str:
        kept = self.kept(path)
        with self.server.lock:
            self.server.objects.pop(kept, None)
        return super().put(kept, content, metadata, sums, expected)

    def look(self, path: str, *, sums: bool = False) -> Found:
        return super().look(self.kept(path), sums=sums)

    def delete(self, path: str, found: Found | None) -> None:
        super().delete(self.kept(path), found)


def altering(kept: Callable[[str], str]) -> type[Altering]:
    class Bucket(Altering):
        def kept(self, path: str) -> str:
            folder, slash, name = path.rpartition("/")
            return folder + slash + kept(name)

    return Bucket


def refusing(*words: str, error: type[StoreError] = NameRefused) -> type[Altering]:
    def kept(name: str) -> str:
        if any(word in name for word in words):
            raise error("no")
        return name

    return altering(kept)


def composed(name: str) -> str:
    return name.replace("e\u0301", "\u00e9")


def decomposed(name: str) -> str:
    return name.replace("\u00e9", "e\u0301")


@pytest.mark.parametrize(
    ("bucket", "rules"),
    [
        (RememberingBucket, PLAIN),
        (altering(str.casefold), replace(PLAIN, folds_case=True, reserved_words=False)),
        (altering(composed), replace(PLAIN, folds_unicode=True)),
        (altering(decomposed), replace(PLAIN, folds_unicode=True)),
        (altering(lambda name: name.rstrip(".")), replace(PLAIN, trailing_dot=False)),
        (altering(lambda name: name.rstrip(" ")), replace(PLAIN, trailing_space=False)),
        (refusing("\u00e9"), replace(PLAIN, folds_unicode=True)),
        (refusing("<", "\\"), replace(PLAIN, forbidden="<\\")),
        (refusing("?", error=Denied), replace(PLAIN, forbidden="?")),
        (refusing("\x01"), replace(PLAIN, control_characters=False)),
        (refusing("CON"), replace(PLAIN, reserved_words=False)),
        (refusing("nul.txt"), replace(PLAIN, reserved_words=False)),
        (refusing("n" * 256), replace(PLAIN, name_limit=255)),
        (refusing("n" * 256, error=Unreliable), replace(PLAIN, name_limit=255)),
    ],
)
def test_p16_what_a_server_does_to_names_is_found_out(bucket: type[RememberingBucket], rules: NameRules) -> None:
    server = Server()
    assert store_of(server, bucket).probe_names() == rules
    assert server.objects == {}


@pytest.mark.parametrize("error", [Unreliable, StoreFull])
@pytest.mark.parametrize("word", ["fold", "\u00e9", "CON", "x", "dot."])
def test_trouble_is_raised_and_not_taken_for_an_answer(error: type[StoreError], word: str) -> None:
    server = Server()
    with pytest.raises(error):
        store_of(server, refusing(word, error=error)).probe_names()
    assert server.objects == {}


@pytest.mark.parametrize("word", ["fold", "\u00e9", "CON"])
def test_what_stands_there_since_a_try_whose_reply_was_lost_is_kept_like_any_other(word: str) -> None:
    class Forgetful(RememberingBucket):
        def put(
            self, path: str, content: Held, metadata: Mapping[str, str], sums: Mapping[str, str], expected: Found | None
        ) -> str:
            mark = super().put(path, content, metadata, sums, expected)
            if word in path:
                raise Occupied("something stands here already")
            return mark

    server = Server()
    assert store_of(server, Forgetful).probe_names() == PLAIN
    assert server.objects == {}


@pytest.mark.parametrize(("error", "raised"), [(NameRefused, Unreliable), (Denied, Denied)])
def test_a_place_that_cannot_be_written_is_no_place_with_strict_rules(
    error: type[StoreError], raised: type[StoreError]
) -> None:
    server = Server()
    with pytest.raises(raised):
        store_of(server, refusing("", error=error)).probe_names()
    assert server.objects == {}


def test_a_server_that_does_not_show_what_was_just_made_is_not_believed() -> None:
    class Late(RememberingBucket):
        def objects(self, folder: str, without: Collection[str] = ()) -> Iterator[tuple[str, Found]]:
            yield from ()

    server = Server()
    with pytest.raises(Unreliable, match="does not show up"):
        store_of(server, Late).probe_names()
    assert server.objects == {}, "they are removed under the names that they were given"


def test_what_is_kept_under_a_name_of_the_servers_own_making_is_removed_under_that() -> None:
    class Renaming(RememberingBucket):
        def put(
            self, path: str, content: Held, metadata: Mapping[str, str], sums: Mapping[str, str], expected: Found | None
        ) -> str:
            return super().put(path.replace("CON", "C0~1"), content, metadata, sums, expected)

    server = Server()
    assert store_of(server, Renaming).probe_names() == replace(PLAIN, reserved_words=False)
    assert server.objects == {}


def test_what_cannot_be_removed_is_left_and_hides_no_answer() -> None:
    class Keeping(RememberingBucket):
        def delete(self, path: str, found: Found | None) -> None:
            raise Denied("no")

    server = Server()
    assert store_of(server, Keeping).probe_names() == PLAIN
    assert server.objects


@pytest.mark.parametrize("old", [True, False])
def test_what_an_ended_probe_left_is_removed_when_it_is_old(monkeypatch: pytest.MonkeyPatch, old: bool) -> None:
    server = Server()
    store = store_of(server)
    left = [".coldchain/probe-0/fold", ".coldchain/probe-0/x"]
    theirs = [".coldchain/manifests/a.json", "data/probe-1"]
    carry(store, dict.fromkeys([*left, *theirs], b"x"))
    monkeypatch.setattr("coldchain.stores.probing._ABANDONED_S", -1 if old else 600)
    assert store.probe_names() == PLAIN
    assert everything(store) == sorted(theirs if old else [*theirs, *left])
