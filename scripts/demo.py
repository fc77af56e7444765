"""What does coldchain do for an instrument?  Plays one, and carries, damages, mends, loses and restores its files.

Every step is the real command line; each shows its command, one line of explanation and its output.  Ends with 1 when
something is not as it should be.  Everything happens in one folder, which stays for you to look at::

    python scripts/demo.py            # a new temporary folder, named at the end
    python scripts/demo.py --keep DIR
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

WIDTH = 100
PROGRAM = [sys.executable, "-m", "coldchain"]
RUN = "202205231554"
"""What the name of the played run begins with: when it began."""
SIMULATE = ["simulate", "merscope", "instrument", "--scale", "0.3", "--rate", "4MB", "--seed", "7"]
SIMULATE += ["--start", "2022-05-23T15:54+00:00"]
OTHERS = ("ifcb", "cytof", "rig", "cellpainting")
SETTLE_S = 2
LIMIT_S = 60


class WrongError(Exception):
    """Something is not as it should be."""


class Stage:
    """Where the demonstration happens, and how it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._steps = 0

    def say(self, text: str) -> None:
        """Begin a step with one sentence."""
        self._steps += 1
        lead = f"{self._steps}. "
        print("\n" + textwrap.fill(lead + text, WIDTH, subsequent_indent=" " * len(lead)), flush=True)

    def show(self, text: str) -> None:
        """Show what a program said."""
        for line in text.splitlines():
            print(textwrap.fill(line, WIDTH, initial_indent="   | ", subsequent_indent="   |     "), flush=True)

    def run(self, *words: str, expected: int) -> str:
        """Run coldchain, show what it says, and insist on its exit code."""
        print(f"   $ coldchain {' '.join(words)}", flush=True)
        done = subprocess.run([*PROGRAM, *words], cwd=self.folder, capture_output=True, timeout=LIMIT_S, check=False)
        said = (done.stdout + done.stderr).decode("utf-8", "replace").replace(f"{self.folder}{os.sep}", "")
        self.show(said)
        if done.returncode != expected:
            raise WrongError(f"exit code {done.returncode} instead of {expected}")
        print(f"   exit code {expected}", flush=True)
        return said


def insist(fact: bool, otherwise: str) -> None:
    """Fail loudly."""
    if not fact:
        raise WrongError(otherwise)


# --- the story --------------------------------------------------------------------------------------------------------


def play(stage: Stage) -> None:
    """Tell it from the first file to the last."""
    acquire_and_carry(stage)
    look(stage)
    damage_and_mend(stage)
    lose_the_ledger(stage)
    restore(stage)
    other_instruments(stage)


def acquire_and_carry(stage: Stage) -> None:
    """Run while the instrument writes, and again when it is done."""
    stage.say("A microscope acquires: files grow in the folder 'instrument', some 5 seconds long.")
    print(f"   $ coldchain {' '.join(SIMULATE)} &", flush=True)
    instrument = subprocess.Popen([*PROGRAM, *SIMULATE], cwd=stage.folder, stdout=subprocess.PIPE)
    try:
        time.sleep(SETTLE_S / 2)
        stage.say("What would coldchain make of it? It knows this microscope, and what such a run must have.")
        said = stage.run("inspect", "instrument", expected=0)
        insist("merscope" in said and "acquiring" in said, "the microscope was not recognised")
        stage.say("One command writes the configuration, and marks the folder 'archive' as the destination.")
        stage.run("init", "--source", "instrument", "--destination", "archive", expected=0)
        shorten_settle(stage)
        time.sleep(SETTLE_S / 2)
        stage.say(
            "A run while it acquires: what is still being written is held back and left alone. Exit code 3 says that "
            "not everything is verified yet; that is no error, the next run goes on."
        )
        said = stage.run("run", expected=3)
        insist("held" in said, "no file was held while the instrument was writing")
        print("   ... waiting for the end of the acquisition", flush=True)
        output, _ = instrument.communicate(timeout=LIMIT_S)
        insist(instrument.returncode == 0, "the simulated instrument failed")
        stage.show(output.decode("utf-8", "replace"))
    finally:
        if instrument.poll() is None:
            instrument.kill()
            instrument.wait()
    time.sleep(SETTLE_S + 0.5)
    stage.say("The same command again sends the rest; each copy is flushed, then read back from the disk.")
    stage.run("run", expected=0)
    same_files(stage.folder / "instrument", stage.folder / "archive")


def shorten_settle(stage: Stage) -> None:
    """Nobody wants to wait ten minutes for a demonstration."""
    file = stage.folder / "coldchain.toml"
    text = file.read_text(encoding="utf-8")
    changed = text.replace('# settle = "10 min"', f'settle = "{SETTLE_S} s"')
    insist(changed != text, "coldchain.toml has no line for settle")
    file.write_text(changed, encoding="utf-8")
    print(f'   (in coldchain.toml, settle = "{SETTLE_S} s" now stands instead of 10 minutes)', flush=True)


def look(stage: Stage) -> None:
    """What is where, and why."""
    stage.say("What is stored, and how well it is proved:")
    stage.run("list", "--long", expected=0)
    stage.say("What its headers say can be asked for:")
    stage.run("find", "fovCount>1", "panelName~a", expected=0)
    stage.say("The life of one file:")
    stage.run("why", a_file(stage.folder / "instrument"), expected=0)


def damage_and_mend(stage: Stage) -> None:
    """One byte, with size and time as they were: what a failing disk does."""
    path = a_file(stage.folder / "archive")
    stage.say(f"One byte of {Path(path).name} in the archive goes bad; its size and its time stay as they were.")
    flip_a_byte(stage.folder / "archive" / path)
    stage.run("check", expected=4)
    stage.say("It is mended from the source; what stood there is set aside, not thrown away.")
    stage.run("check", "--repair", expected=0)
    stage.say("All copies are proved once more.")
    stage.run("check", expected=0)
    same_files(stage.folder / "instrument", stage.folder / "archive")


def lose_the_ledger(stage: Stage) -> None:
    """The manifests beside the data know the same."""
    stage.say(
        "The ledger is lost: its folder is moved away. The next run learns from the manifests beside the data, reads "
        "the copies once, and sends nothing again."
    )
    (stage.folder / "coldchain-state").rename(stage.folder / "lost-state")
    before = inodes(stage.folder / "archive")
    said = stage.run("run", expected=0)
    insist("manifest" in said, "the run did not say that it learnt from the manifests")
    insist(before == inodes(stage.folder / "archive"), "files were written again")


def restore(stage: Stage) -> None:
    """Back, and compared with the original; also without coldchain."""
    stage.say("The run is brought back into another folder, and compared with the original.")
    (run,) = (path.name for path in (stage.folder / "instrument" / "merfish_raw_data").glob(f"{RUN}_*"))
    stage.run("restore", "merscope", run, "--to", "back", expected=0)
    same_files(stage.folder / "instrument", stage.folder / "back")
    print("   the same names and the same bytes as at the instrument", flush=True)
    if not (program := shutil.which("sha256sum")):
        return
    stage.say("The archive can be checked without coldchain, too:")
    for manifest in sorted((stage.folder / "archive").glob(".coldchain/manifests/**/*.sha256")):
        name = manifest.relative_to(stage.folder / "archive").as_posix()
        print(f"   $ cd archive; sha256sum --check --quiet {name}", flush=True)
        done = subprocess.run([program, "--check", "--quiet", name], cwd=stage.folder / "archive", check=False)
        insist(done.returncode == 0, f"sha256sum says that {name} does not fit")


def other_instruments(stage: Stage) -> None:
    """Each played in a second, and looked at; of the plate one image never came."""
    for name in OTHERS:
        stage.say(f"Another instrument, {name}: it is played, and recognised by what it writes.")
        fault = ["--fault", "missing"] if name == "cellpainting" else []
        stage.run("simulate", name, f"other/{name}", "--scale", "0.05", *fault, expected=0)
        said = stage.run("inspect", f"other/{name}", expected=0)
        insist(f"looks like {name}" in said, f"{name} was not recognised")
        insist("short by 1 of " in said or not fault, "nobody noticed that an image is missing")


# --- looking at files -------------------------------------------------------------------------------------------------


def files_below(folder: Path) -> list[str]:
    """The data, without what coldchain keeps there."""
    below = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in below if path.parts[0] != ".coldchain")


def a_file(folder: Path) -> str:
    """An image in the middle."""
    images = [path for path in files_below(folder) if path.endswith(".dax")]
    insist(bool(images), f"{folder} holds no image")
    return images[len(images) // 2]


def flip_a_byte(file: Path) -> None:
    """Change one byte; size and mtime stay."""
    looked = file.stat()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(looked.st_atime_ns, looked.st_mtime_ns))


def inodes(folder: Path) -> dict[str, tuple[int, int]]:
    """Which files stand there; a file that is written again is another one."""
    looked = {path: (folder / path).stat() for path in files_below(folder)}
    return {path: (stat.st_ino, stat.st_mtime_ns) for path, stat in looked.items()}


def same_files(here: Path, there: Path) -> None:
    """Insist on the same names and bytes."""
    names = files_below(here)
    insist(names == files_below(there), f"{here.name} and {there.name} do not hold the same names")
    _, different, failed = filecmp.cmpfiles(here, there, names, shallow=False)
    insist(bool(names) and not different and not failed, f"different bytes: {', '.join(different + failed)}")


def main() -> int:
    """Prepare the folder, play, and say where it is."""
    parser = argparse.ArgumentParser(description="Shows on a simulated microscope what coldchain does.")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="a new or empty folder, else a temporary one")
    keep: Path | None = parser.parse_args().keep
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        parser.error(f"{keep} is there already; name a new or an empty folder")
    folder = keep or Path(tempfile.mkdtemp(prefix="coldchain-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.pop("COLDCHAIN_CONFIG", None)  # the demonstration has a configuration of its own
    try:
        play(Stage(folder.resolve()))
    except (WrongError, OSError, subprocess.TimeoutExpired) as error:
        print(f"\nFAILED: {error}\nLook at {folder}", file=sys.stderr)
        return 1
    print(f"\nEverything went as it should. It is all still there: {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
