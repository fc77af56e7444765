"""Does any parser of foreign bytes raise, hang or swell, when one goes on searching?

    make fuzz ARGS="fcs --seconds 60"
    make fuzz

Each target of ``tests/fuzz/targets`` in turn, in a process of its own, under atheris (libFuzzer for Python), which
keeps what reaches code that nothing reached before.  What was found, and the inputs that reach far, stay in
``build/fuzz``.  Exit code 1 when something was found.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import NamedTuple

PROJECT = Path(__file__).resolve().parents[1]
KEPT = PROJECT / "build" / "fuzz"
TIMEOUT_S = 20
MEMORY_MIB = 1024
LONGEST_BYTES = 64 << 10
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")
_STATUS = re.compile(r"#\d+\s.*cov: (\d+) ft: (\d+)")


class Search(NamedTuple):
    """What came of searching with one target."""

    name: str
    inputs: int
    edges: int
    """Of coldchain's code that were reached."""
    found: str
    """The file with the input that something is wrong with, "" for none."""
    said: str


def search(name: str, seconds: int) -> Search:
    """Search in a process of its own, because libFuzzer ends the one that it is in."""
    words = [sys.executable, "-m", "scripts.fuzz", "--within", name, "--seconds", str(seconds)]
    done = subprocess.run(words, cwd=PROJECT, capture_output=True, text=True, errors="replace", check=False)
    said = done.stdout + done.stderr
    ended, statuses = _DONE.search(said), _STATUS.findall(said)
    found = re.search(r"Test unit written to (\S+)", said)
    numbers = [int(number) for number in re.findall(r"^#(\d+)", said, re.MULTILINE)]
    wrong = found[1] if found else "" if ended else "it ended before its time"
    return Search(
        name, int(ended[1]) if ended else max(numbers, default=0), int(statuses[-1][0]) if statuses else 0, wrong, said
    )


def within(name: str, seconds: int) -> None:
    """Search in this process, which libFuzzer then ends."""
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # of the dependency group ``fuzz``, which ``make fuzz`` installs

    with atheris.instrument_imports(include=["coldchain"]):
        from tests.fuzz.mutating import mutated
        from tests.fuzz.table import TARGETS

    target = TARGETS[name]
    corpus, finds = KEPT / name / "corpus", KEPT / name / "found"
    for folder in (corpus, finds):
        folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    others = [*target.seeds, *target.words]

    def mutate(content: bytes, longest: int, seed: int) -> bytes:
        """libFuzzer's own changes, and those that know of numbers, lines and JSON."""
        chance = Random(seed)
        if chance.random() < 0.5:
            changed: bytes = atheris.Mutate(content, min(longest, len(content) + 64))
            return changed
        return mutated(content, others, chance)[:longest]

    words = [
        sys.argv[0], str(corpus), f"-artifact_prefix={finds}/", f"-max_total_time={seconds}", f"-timeout={TIMEOUT_S}",
        f"-rss_limit_mb={MEMORY_MIB}", f"-max_len={LONGEST_BYTES}", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup(words, target.run, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    """All targets, or those that are named."""
    from tests.fuzz.table import TARGETS

    parser = argparse.ArgumentParser(
        prog="make fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of: {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (60)")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.targets) - set(TARGETS)):
        parser.error(f"there is no target {unknown[0]!r}; there are: {', '.join(TARGETS)}")
    bad = 0
    for name in asked.targets or TARGETS:
        result = search(name, asked.seconds)
        bad += bool(result.found)
        print(
            f"{name:<26} {result.inputs:>12,} inputs  {result.edges:>6,} edges  {result.found or 'nothing found'}",
            flush=True,
        )
        if result.found:
            print("\n".join(result.said.splitlines()[-60:]))
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--within"]:
        within(sys.argv[2], int(sys.argv[4]))
    sys.exit(main())
