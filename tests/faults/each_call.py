"""Which worlds do the tests play in that stop a program at each of its calls, and what do they compare afterwards?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from coldchain.testing.oracle import read_tree
from tests.faults.gate import Ended, Gate, Order
from tests.faults.world import World

LARGE = bytes(range(256)) * (3 << 12)

Fresh = Callable[[Path], World]


def prepared(folder: Path) -> World:
    """Stored: kept, old (which then changes).  To do: two new ones, one of 3 MiB, and one that stands there."""
    world = World(folder)
    world.write("kept", b"kept")
    world.write("d/old", b"the old version")
    assert world.run().code == 0
    world.write("d/old", b"the new version")
    world.write("d/large", LARGE)
    world.write("e/f", b"f")
    world.write("adopted", b"equal bytes")
    (world.at["nas"] / "adopted").write_bytes(b"equal bytes")
    return world


def untouched(folder: Path) -> World:
    """Three files, and nothing was ever done."""
    world = World(folder)
    for path in ("a", "d/b", "d/c"):
        world.write(path, path.encode() * 1000)
    return world


def stored(folder: Path) -> World:
    world = prepared(folder)
    assert world.run().code == 0
    return world


def rotten(folder: Path) -> World:
    """Of four copies one is gone, and two have another first byte under the same size and time."""
    world = stored(folder)
    for key in ("e/f", "d/large"):
        file = world.at["nas"] / key
        status, content = file.stat(), file.read_bytes()
        file.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    (world.at["nas"] / "kept").unlink()
    return world


def without_ledger(folder: Path) -> World:
    world = stored(folder)
    for file in world.ledger_file.parent.glob("ledger.sqlite*"):
        file.unlink()
    return world


def command(gate: Gate, world: World, *words: str, when: int = 0, error: int = 0) -> Ended:
    """A command of this world, stopped at its call number ``when``."""
    whole = (*words, "--config", str(world.file))
    return gate.run(Order(whole, str(world.folder), when, error))


def each_call(
    gate: Gate, fresh: Fresh, words: tuple[str, ...], stage: Path, step: int, *, error: int = 0
) -> Iterator[tuple[World, Ended]]:
    """Stop a command at its first call, at the next but ``step`` and so on, in a fresh world each; ends when it did."""
    when = 1
    while True:
        shutil.rmtree(stage / "world", ignore_errors=True)
        world = fresh(stage / "world")
        ended = command(gate, world, *words, when=when, error=error)
        if not ended.met:
            assert ended.code == 0, ended
            return
        yield world, ended
        when += step


def whole(world: World, root: Path, ended: Ended) -> None:
    """P3: every final name has a whole content that belongs there."""
    for key, content in read_tree(root).items():
        if not key.startswith(".coldchain/") and not key.rpartition("/")[2].startswith(".~"):
            assert content in world.history[key], f"stopped at {ended}: {key} is half or wrong"


def recorded(world: World) -> dict[str, int]:
    """When each path was stored, in microseconds."""
    with world.ledger() as ledger:
        sets = [ledger.stored("j", "nas", name) for name in ledger.datasets("j")]
        return {record.path: record.stored_at_us for found in sets for record in found}


def state(world: World) -> dict[str, object]:
    """All that must be as if nothing had happened: the data, the names of everything, the sums, and the records."""
    nas = world.at["nas"]
    sums = {str(file.relative_to(nas)): file.read_text() for file in nas.rglob("*.sha256")}
    with world.ledger() as ledger:
        records = {
            (dataset, record.path, record.key, record.size_bytes, str(record.digest), record.proof_kind)
            for dataset in ledger.datasets("j")
            for record in ledger.stored("j", "nas", dataset)
        }
    tree = read_tree(nas)
    data = {key: content for key, content in tree.items() if not key.startswith(".coldchain/")}
    # Known: whoever is killed while it asks a place what it does to names (some milliseconds, once) leaves that folder.
    names = {key for key in tree if not key.startswith(".coldchain/probe-")}
    return {"data": data, "names": names, "sums": sums, "records": records, "at work": _at_work(world)}


def _at_work(world: World) -> set[str]:
    """The names beside the ledger; those that SQLite keeps beside an open file come and go."""
    return {name for name in read_tree(world.ledger_file.parent) if not name.startswith("ledger.sqlite-")}
