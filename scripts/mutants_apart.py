"""Would a test notice, if somebody broke a module that runs in another process?

    .venv/bin/python -m scripts.mutants_apart steps/worker.py --tests tests/steps/test_workers.py

Slower than ``scripts.mutants``, which mutates functions where they are: here each mutant is a copy of the sources,
and the tests are run anew, in processes that find that copy first.  Survivors in ``mutants-known.txt`` are known.  Exit
code 1 when there are others.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.mutants import KNOWN, PROJECT
from scripts.mutations import Mutant, mutants


def main() -> int:
    """Try each mutant, and say which ones live."""
    parser = argparse.ArgumentParser(prog="python -m scripts.mutants_apart", description=__doc__)
    parser.add_argument("module", help="below src/coldchain, such as steps/worker.py")
    parser.add_argument("--tests", nargs="+", required=True, help="files or folders")
    parser.add_argument("--longest-s", type=float, default=300, help="tests that take longer have noticed (300)")
    wanted = parser.parse_args()
    known = {line for line in KNOWN.read_text(encoding="utf-8").splitlines() if not line.startswith("#")}
    source = (PROJECT / "src" / "coldchain" / wanted.module).read_text(encoding="utf-8")
    killed, alive, unknown = 0, 0, 0
    with tempfile.TemporaryDirectory(prefix="coldchain-mutants-") as folder:
        copy = Path(folder) / "src"
        shutil.copytree(PROJECT / "src", copy)
        if not _pass(copy, wanted.tests, wanted.longest_s):
            sys.exit("the tests fail without any mutant")
        for mutant in mutants(source):
            (copy / "coldchain" / wanted.module).write_text(_text(mutant), encoding="utf-8")
            if not _pass(copy, wanted.tests, wanted.longest_s):
                killed += 1
                continue
            alive += 1
            line = f"{wanted.module}: {mutant.change}"
            unknown += line not in known
            print(f"{line}{'' if line in known else '   (unknown)'}", flush=True)
    print(f"{wanted.module}: {killed + alive} mutants, {killed} killed, {alive} alive, {unknown} of them unknown")
    return 1 if unknown else 0


def _text(mutant: Mutant) -> str:
    return ast.unparse(mutant.tree) + "\n"


def _pass(sources: Path, tests: list[str], longest_s: float) -> bool:
    """Whether the tests find nothing wrong with these sources."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(sources), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=PROJECT, env=environment, capture_output=True, timeout=longest_s, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
