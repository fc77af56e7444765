"""When a lost ledger is made again: is it what it was, is nothing believed that is not so, and is it said?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from coldchain.config.values import OnChange
from coldchain.ledger.columns import microseconds
from coldchain.model import ProofKind, Record, Tally
from coldchain.monitor import SilentMonitor
from coldchain.steps.identify import Writer, identify_destination
from coldchain.steps.recollect import RebuildReport, Recollection
from coldchain.stores.base import open_store
from tests.faults.world import World


def records(world: World, destination: str = "nas") -> dict[str, Record]:
    """By key; without what a new ledger cannot know: when each was proved."""
    with world.ledger() as ledger:
        found = [ledger.all_records("j", destination, dataset) for dataset in ledger.datasets("j")]
        return {record.key: record._replace(proved_at_us=0) for some in found for record in some}


def lose(world: World) -> None:
    for file in world.ledger_file.parent.glob("ledger.sqlite*"):
        file.unlink()


def manifest(world: World, destination: str = "nas") -> Path:
    [found] = (world.at[destination] / ".coldchain/manifests").rglob("*.json")
    return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two destinations, each with two files, two versions of one of them."""
    world = World(tmp_path, ("nas", "tape"), job=f'on_change = "{OnChange.KEEP_BOTH.value}"')
    world.write("run/a", b"first")
    world.write("run/b", b"b" * 10)
    assert world.run().code == 0
    world.later(hours=1)
    world.write("run/a", b"second version")
    assert world.run().code == 0
    world.later(days=1)
    return world


@pytest.mark.parametrize("quick", [False, True])
def test_p08_the_ledger_is_what_it_was_and_each_copy_is_proved_as_it_was_looked_at(world: World, quick: bool) -> None:
    before = {name: records(world, name) for name in world.at}
    lose(world)
    report = world.rebuild(quick=quick)
    assert (report.exit_code, report.manifests, report.known, report.troubles) == (0, 2, 0, [])
    assert report.rebuilt == Tally(6, 2 * 29)
    for name in world.at:
        found = records(world, name)
        assert {record.proof_kind for record in found.values()} == {ProofKind.SIZE if quick else ProofKind.READBACK}
        for key, record in found.items():
            known = before[name][key]
            assert record == known._replace(proof_kind=record.proof_kind, proof_how=record.proof_how)
    with world.ledger() as ledger:
        row = ledger.runs("j", 1)[0]
        [dataset] = ledger.datasets("j")
        assert {one.proved_at_us for one in ledger.all_records("j", "nas", dataset)} == {microseconds(world.now)}
        assert (row.command, row.ended is not None) == ("rebuild", True)
        assert {event.kind for event in ledger.events(path="run/b")} == {"rebuilt"}
    if not quick:
        assert not world.to_send()
        assert world.run().code == 0


def test_what_is_known_already_is_counted_and_left(world: World) -> None:
    before = records(world)
    report = world.rebuild()
    assert (report.exit_code, report.known, report.rebuilt) == (0, 6, Tally())
    assert records(world) == before


def test_what_this_ledger_knows_less_of_is_learnt_from_the_manifest(world: World) -> None:
    kept = world.ledger_file.read_bytes()
    world.write("run/a0", b"new")
    world.write("run/a", b"the third version")
    world.write("run/c", b"new")
    world.write("run/b", b"another b, longer")
    assert world.run().code == 0
    known = records(world)
    lose(world)
    world.ledger_file.write_bytes(kept)
    report = world.rebuild()
    assert report.exit_code == 0
    assert {key: record._replace(proof_how="") for key, record in records(world).items()} == {
        key: record._replace(proof_how="") for key, record in known.items()
    }, "also that the older b is superseded"
    assert report.known == 2, "the first version of a, at each place"


def test_of_a_copy_that_was_replaced_since_the_newer_version_is_learnt_and_the_older_forgotten(tmp_path: Path) -> None:
    world = World(tmp_path)
    for path in ("run/a", "run/b"):
        world.write(path, b"first")
    assert world.run().code == 0
    kept = world.ledger_file.read_bytes()
    world.later(hours=1)
    world.write("run/b", b"second version")
    assert world.run().code == 0
    known = {name: _without_means(records(world, name)) for name in world.at}
    lose(world)
    world.ledger_file.write_bytes(kept)
    report = world.rebuild()
    assert (report.exit_code, report.known, report.rebuilt) == (0, 1, Tally(1, 14))
    assert {name: _without_means(records(world, name)) for name in world.at} == known


def _without_means(found: dict[str, Record]) -> dict[str, Record]:
    """How the cache was passed depends on what it let go of."""
    return {key: record._replace(proof_how="") for key, record in found.items()}


@pytest.mark.parametrize("quick", [False, True])
def test_copies_that_are_not_as_the_manifest_says_are_not_recorded(world: World, quick: bool) -> None:
    (world.at["nas"] / "run/a").write_bytes(b"longer than before")
    (world.at["nas"] / "run/b").unlink()
    (world.at["tape"] / "run/b").write_bytes(bytes(10))
    lose(world)
    report = world.rebuild(quick=quick)
    assert report.exit_code == 4
    assert set(records(world)) == {"run/a~v2"}
    assert set(records(world, "tape")) == {"run/a", "run/a~v2"} | ({"run/b"} if quick else set())
    said = "\n".join(report.troubles)
    assert "nas: run/a: corrupt" in said
    assert "nas: run/b: lost" in said
    assert ("tape: run/b: corrupt" in said) is not quick
    written = report.as_json()
    assert (written["format"], written["version"], written["troubles"]) == ("coldchain-rebuild", 1, report.troubles)


def test_a_lost_copy_alone_is_incomplete_and_no_damage(world: World) -> None:
    (world.at["nas"] / "run/b").unlink()
    lose(world)
    assert world.rebuild().exit_code == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((b'"job":"j"', b'"job":"i"'), "another place or job"),
        ((b'"destination":"', b'"destination":"0'), "another place or job"),
        ((b'"size_bytes":10', b'"size_bytes":11'), "not what was written"),
    ],
)
def test_p08_nothing_of_a_manifest_that_is_wrong_anywhere_is_believed(
    world: World, change: tuple[bytes, bytes], said: str
) -> None:
    file = manifest(world)
    text = file.read_bytes().replace(*change)
    if said == "another place or job":
        text = resealed(text)  # nothing else is wrong with it
    file.write_bytes(text)
    lose(world)
    report = world.rebuild()
    assert report.exit_code == 4
    assert report.manifests == 1
    assert any(said in sentence for sentence in report.troubles)
    assert records(world) == {}
    assert len(records(world, "tape")) == 3


def resealed(text: bytes) -> bytes:
    """As one makes who can write there: the digest fits."""
    import hashlib

    *lines, end, footer = text.splitlines(keepends=True)
    fields = json.loads(b"{" + footer) | {"digest": f"sha256:{hashlib.sha256(b''.join(lines)).hexdigest()}"}
    return b"".join([*lines, end, json.dumps(fields).encode()[1:] + b"\n"])


def test_p05_of_another_ledger_nothing_is_learnt_where_one_is_named(world: World) -> None:
    with world.ledger() as ledger:
        lost = ledger.id
    lose(world)
    place = world.job.destinations[0].place
    store = open_store(place)
    learnt = []
    with world.ledger() as ledger:
        run = ledger.begin_run("j", "run", world.now)
        identity = identify_destination(Writer("j", world.host), world.job.destinations[0], store, None)
        ledger.see_destination("j", "nas", place.url, identity, world.now)
        for author in ("another", lost):
            recollection = Recollection(ledger, run, store, place, world.around())
            recollection.recollect("j", identity.id, quick=True, ledger=author)
            learnt.append((recollection.report.manifests, recollection.report.rebuilt.files))
    store.close()
    assert learnt == [(0, 0), (1, 3)]


def test_what_else_lies_in_the_folder_of_manifests_is_no_manifest(world: World) -> None:
    folder = manifest(world).parent
    (folder / "notes.txt").write_bytes(b"x")
    (folder / "link.json").symlink_to("nowhere")
    lose(world)
    assert world.rebuild().exit_code == 0


def test_without_any_manifest_it_is_no_success(world: World) -> None:
    for name in world.at:
        manifest(world, name).unlink()
    lose(world)
    assert world.rebuild().exit_code == 6


class Stopping(SilentMonitor):
    stopping = True


def test_a_rebuild_that_was_stopped_says_so_and_the_same_again_finishes(world: World) -> None:
    from coldchain.errors import Interrupted

    lose(world)
    world.monitor = Stopping()
    with pytest.raises(Interrupted):
        world.rebuild()
    world.monitor = SilentMonitor()
    assert world.rebuild().exit_code == 0
    assert len(records(world)) == 3


def test_the_word_that_is_left_lets_the_next_run_know_this_ledger(world: World) -> None:
    lose(world)
    world.rebuild()
    with world.ledger() as ledger:
        number, digest = ledger.head()
        for root in world.at.values():
            [agent] = (root / ".coldchain/agents").glob("*.json")
            word = json.loads(agent.read_text())["jobs"]["j"]
            assert word["ledger"] == ledger.id
            assert word["event"] <= number
            assert word["source"] == world.job.source.url
        assert digest


def test_troubles_are_shown_up_to_a_hundred_and_counted_beyond() -> None:
    report, other = RebuildReport(), RebuildReport("j", 2, Tally(3, 30), 4)
    for number in range(103):
        other.trouble(f"trouble {number}")
    report.add(other)
    assert (len(report.troubles), report.troubles[-1], report.more_troubles) == (100, "trouble 99", 3)
    assert (report.manifests, report.rebuilt, report.known, report.integrity) == (2, Tally(3, 30), 4, False)
    report.add(RebuildReport(integrity=True))
    report.add(RebuildReport())
    assert report.integrity
    assert (report.exit_code, RebuildReport(troubles=["x"]).exit_code) == (4, 3)
