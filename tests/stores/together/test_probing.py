"""Is what a probe of names left, because it was ended, removed by a later one, at places of every kind?"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from coldchain.errors import Unreliable
from coldchain.stores import probing
from coldchain.stores.base import open_store
from coldchain.stores.fsspec.line import Line
from coldchain.stores.rclone.calling import Caller
from coldchain.testing.contract.acts import carry, everything
from tests.stores.together.worlds import KINDS, New


@pytest.mark.parametrize("kind", KINDS)
def test_a_later_probe_removes_what_one_left_that_was_ended(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    new: New = request.getfixturevalue(f"over_{kind}")
    place = new("place").job.destinations[0].place
    store = open_store(place)
    store.make()
    left = [f"{probing.probing_folder()}/{name}" for name in ("fold", "3x")]
    contents = {**dict.fromkeys(left, b""), ".coldchain/manifests/a.json": b"a", ".coldchain/probe": b"b"}
    carry(store, contents, mtime_ns=time.time_ns())
    theirs = [".coldchain/manifests/a.json", ".coldchain/probe"]
    rules = store.probe_names()
    assert everything(store) == sorted([*left, *theirs]), "a young one may be at work"
    monkeypatch.setattr(probing, "_ABANDONED_S", -1)
    assert store.probe_names() == rules
    assert everything(store) == theirs
    if kind not in {"s3", "gs", "az"}:  # these have no folders; SeaweedFS has, and shows them for a while
        assert [name for name in store.folders(".coldchain") if name.startswith("probe-")] == []
    store.close()


@pytest.mark.parametrize("kind", ["webdav", "rclone"])
def test_trouble_with_a_place_is_not_taken_for_its_answer_to_a_name(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found wrong once would be believed as long as the place is used."""
    new: New = request.getfixturevalue(f"over_{kind}")
    store = open_store(new("place").job.destinations[0].place)
    store.make()
    rules = store.probe_names()
    assert rules.reserved_words
    failures: list[str] = []

    def failing(*said: object, **more: object) -> bool:
        if f"{more}{said}".find("/CON'") >= 0 and failures:
            failures.pop()
            raise Unreliable("the link broke", url=store.url, key="CON")
        return False

    for kind_of, verb in ((Line, "do"), (Caller, "once")):
        honest = getattr(kind_of, verb)
        monkeypatch.setattr(kind_of, verb, lambda *a, _do=honest, **k: failing(*a, **k) or _do(*a, **k))
    failures.append("once")
    assert store.probe_names() == rules
    failures += ["always"] * 99
    assert store.probe_names() == replace(rules, reserved_words=False), "the place is there: it is this name"
    store.close()
