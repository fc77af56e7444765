"""What do a run and a plan cost when there are very many files and nothing to do?

The tree and the ledger are made once, by a first run that proves sizes only, and kept for the next time.  The other
programs find the copies of coldchain, whose sizes and times are those of the source.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks import trees
from benchmarks.measuring import Sample, print_line, settle_disk, timed
from benchmarks.tools import COLDCHAIN, Errand, coldchain_errand, where
from benchmarks.trees import Tree

_A_FOLDER = 1000


def measure(entries: int, folder: Path, rounds: int) -> dict[str, list[Sample]]:
    """Plan and run of coldchain, and what others take to see that nothing is new."""
    tree = Tree(max(1, entries // _A_FOLDER), entries, 16)
    print_line(f"\nnothing to do over {entries:,} files of 16 bytes in {tree.folders:,} folders")
    source = trees.make(folder / "sources", tree)
    errand = Errand(source, folder / "kept" / tree.name)
    _fill(errand)
    commands = _commands(errand)
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            if where(command[0]) is None:
                continue
            settle_disk()
            samples[name].append(timed(command, errand.folder / "log"))
            sample = samples[name][-1]
            print_line(f"  {name:<17} {sample.wall_s:7.2f} s  {sample.peak_bytes / 2**20:6.0f} MiB")
    return samples


def _fill(errand: Errand) -> None:
    done = errand.folder / "filled"
    if done.exists():
        return
    errand.there.mkdir(parents=True, exist_ok=True)
    command = coldchain_errand(errand, verify="size")
    sample = timed(command, errand.folder / "log")
    print_line(f"  the first run: {sample.wall_s:.0f} s, {sample.peak_bytes / 2**20:.0f} MiB")
    done.touch()


def _commands(errand: Errand) -> dict[str, list[str]]:
    config = str(errand.folder / "coldchain.toml")
    nothing = errand.folder / "rclone.conf"
    nothing.touch()
    both = [str(errand.source), str(errand.there)]
    return {
        "coldchain": [*COLDCHAIN, "run", "--config", config],
        "coldchain plan": [*COLDCHAIN, "plan", "--short", "--config", config],
        "rclone copy": [where("rclone") or "rclone", "copy", "--config", str(nothing), *both],
        "rsync -a --fsync": ["rsync", "-a", "--fsync", f"{both[0]}/", f"{both[1]}/"],
    }
