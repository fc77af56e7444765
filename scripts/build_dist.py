"""Which bytes are handed out?  An sdist of this tree, the wheel that is made of it, and their digests, in ``dist/``.

The wheel is built from the unpacked sdist, so what somebody else builds from that is the same file.  hatchling sorts
what it packs, levels modes, and dates everything 2020-02-02 or ``SOURCE_DATE_EPOCH``
(https://reproducible-builds.org/docs/source-date-epoch/), so two builds of one tree are equal byte for byte.

It is run by the Python that holds the locked hatchling: nothing is fetched.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]


def build(root: Path, out: Path) -> list[Path]:
    """Build the tree below ``root`` into ``out``; returns sdist and wheel."""
    out.mkdir(parents=True, exist_ok=True)
    for old in [*out.glob("coldchain-*"), *out.glob("SHA256SUMS")]:
        old.unlink()
    sdist = _hatchling(root, "sdist", out)
    with TemporaryDirectory(prefix="coldchain-build-") as folder:
        with tarfile.open(sdist) as packed:  # our own, of a moment ago
            packed.extractall(folder, filter="data")
        wheel = _hatchling(Path(folder, sdist.name.removesuffix(".tar.gz")), "wheel", out)
    return [sdist, wheel]


def _hatchling(root: Path, target: str, out: Path) -> Path:
    before = set(out.iterdir())
    words = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    # A wheel with byte code in it would differ with the Python that built it.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run(words, cwd=root, env=environment, check=True, stdout=subprocess.DEVNULL)
    (made,) = set(out.iterdir()) - before
    return made


def main(out: Path) -> None:
    """Build, and say what came of it."""
    sums = "".join(
        f"{hashlib.sha256(made.read_bytes()).hexdigest()}  {made.name}\n" for made in sorted(build(ROOT, out))
    )
    (out / "SHA256SUMS").write_text(sums, encoding="utf-8")
    print(sums, end="")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist")
