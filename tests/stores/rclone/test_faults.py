"""What becomes of a run when rclone, or the server behind a remote, dies, refuses or talks nonsense?"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coldchain.config.values import Destination
from coldchain.errors import ConfigurationError, DestinationAbsent, Unreliable
from coldchain.model import Place
from coldchain.stores.rclone.folders import private_folder, sweep
from coldchain.stores.rclone.store import RcloneStore
from tests.ports import free_port
from tests.promises.lab import Lab, data, largest_bytes, reasons
from tests.stores.rclone.serving import CANARY, HASTY, answers, obscured, program, served, write_config

LARGE_BYTES = 256 << 20


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "lab")
    lab.acquire(5)
    return lab


class Dav:
    """A server of WebDAV that can be killed and started again, and a remote for it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        (folder / "share/lab").mkdir(parents=True)
        (folder / "spool").mkdir()

    def serving(self, *more: str) -> object:
        command = [program("rclone"), "serve", "webdav", "--addr", f"127.0.0.1:{self.port}", *more]
        command += ["--config", "/dev/null", str(self.folder / "share")]
        return served(command, answers(self.port), self.folder, RCLONE_USER="cold", RCLONE_PASS=CANARY)

    def destination(self, password: str = CANARY) -> Destination:
        said = {"type": "webdav", "vendor": "rclone", "url": f"http://127.0.0.1:{self.port}", "user": "cold"}
        config = write_config(self.folder / "rclone.conf", {"dav": {**said, "pass": obscured(password)}})
        options = (("config", str(config)), ("spool", str(self.folder / "spool")))
        return Destination(Place("nas", "rclone://dav/lab", options))

    def stored(self) -> dict[str, bytes]:
        files = data(self.folder / "share/lab")
        return {key: content for key, content in files.items() if not key.startswith(".coldchain")}


@pytest.fixture
def dav(tmp_path: Path) -> Dav:
    return Dav(tmp_path / "dav")


def when(holds: Callable[[], bool], deed: Callable[[], None]) -> threading.Thread:
    """Do something as soon as something holds."""

    def watch() -> None:
        until = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < until
            time.sleep(0.005)
        deed()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def grow(lab: Lab) -> None:
    with (lab.source / "run/large.bin").open("wb") as file:
        file.truncate(LARGE_BYTES)


def test_p03_a_server_that_dies_in_mid_copy_has_nothing_half_and_the_next_run_finishes(
    lab: Lab, dav: Dav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RCLONE_LOW_LEVEL_RETRIES", "1")  # rclone waits longer and longer for a server that is gone
    job = lab.job(destinations=(dav.destination(),))
    with dav.serving():  # type: ignore[attr-defined]
        assert lab.run(job).exit_code == 0
    grow(lab)
    with dav.serving() as server:  # type: ignore[attr-defined]
        killer = when(lambda: largest_bytes(dav.folder / "share") > 1 << 20, server.kill)
        report = lab.run(job)
        killer.join()
    assert report.exit_code == 3
    assert "run/large.bin" in reasons(report)
    assert "run/large.bin" not in dav.stored()
    with dav.serving():  # type: ignore[attr-defined]
        report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    whole = {key: content for key, content in dav.stored().items() if "/.~" not in key}
    assert whole == data(lab.source)  # the temporary file may wait for a later sweep: nobody could remove it


def test_p11_rclone_killed_in_mid_run_costs_at_most_another_run(lab: Lab, dav: Dav) -> None:
    grow(lab)
    job = lab.job(destinations=(dav.destination(),))
    with dav.serving():  # type: ignore[attr-defined]
        killer = when(
            lambda: largest_bytes(dav.folder / "share") > 1 << 20, lambda: os.kill(rclone_of(dav), signal.SIGKILL)
        )
        report = lab.run(job)
        killer.join()
        assert report.exit_code in {0, 3}
        assert {key: data(lab.source)[key] for key in dav.stored() if "/.~" not in key} == {
            key: content for key, content in dav.stored().items() if "/.~" not in key
        }
        report = lab.run(job)
    assert report.exit_code == 0, reasons(report)
    assert dav.stored() == data(lab.source)


def rclone_of(dav: Dav) -> int:
    """The one that its keeper has started, which names the spool."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
            if b"keeper.py" in line and str(dav.folder / "spool").encode() in line:
                return int((process / f"task/{process.name}/children").read_text().split()[0])
        except (OSError, IndexError):
            continue
    raise AssertionError("no rclone runs")


def test_a_read_only_remote_is_told_in_one_sentence(lab: Lab, dav: Dav) -> None:
    with dav.serving("--read-only"), pytest.raises(DestinationAbsent) as told:  # type: ignore[attr-defined]
        lab.run(lab.job(destinations=(dav.destination(),)))
    assert "\n" not in str(told.value)
    assert not dav.stored()


def test_wrong_credentials_are_told_without_them(lab: Lab, dav: Dav) -> None:
    wrong = f"{CANARY}-wrong"
    with dav.serving(), pytest.raises(DestinationAbsent) as told:  # type: ignore[attr-defined]
        lab.run(lab.job(destinations=(dav.destination(wrong),)))
    said = repr(told.value) + str(told.value) + str(told.value.__cause__)
    assert "sign-in" in said
    assert CANARY not in said


_NONSENSE = """#!{python}
import os, socketserver, sys
from http.server import BaseHTTPRequestHandler
if sys.argv[1] == "version":
    print("rclone v1.75.2")
    raise SystemExit
class Answer(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = {body!r}
        self.wfile.write(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    def address_string(self):
        return ""
os.write(2, b"\\xff\\x00 {{not json\\n[1]\\nnull\\n" + b"[" * 100000 + b"\\n")
path = sys.argv[sys.argv.index("--rc-addr") + 1].removeprefix("unix://")
socketserver.ThreadingUnixStreamServer(path, Answer).serve_forever()
"""


@pytest.mark.parametrize(
    "body", [b"", b"{{{", b"{}", b"null", b"[]", b'"x"', b'{"list": 7, "item": 7}', b"[" * 100_000]
)
def test_p10_an_answer_that_makes_no_sense_is_neither_an_empty_folder_nor_a_missing_file(
    tmp_path: Path, body: bytes
) -> None:
    script = tmp_path / "rclone"
    script.write_text(_NONSENSE.format(python=sys.executable, body=body))
    script.chmod(0o755)
    store = RcloneStore("rclone://box/x", options={"rclone": str(script)}, patience=HASTY)
    with pytest.raises(Unreliable, match="makes no sense"):
        list(store.list())
    with pytest.raises(Unreliable, match="makes no sense"):
        store.stat("file")


def test_p11_the_spool_of_a_power_cut_is_swept_at_the_next_start_and_no_other(tmp_path: Path) -> None:
    lived, lock = private_folder(str(tmp_path))
    left, gone = private_folder(str(tmp_path))
    young, also_gone = private_folder(str(tmp_path))
    for folder in (lived, left):
        Path(folder, "file").write_bytes(b"x")
        os.utime(folder, (1e9, 1e9))
    os.close(gone)
    os.close(also_gone)
    (tmp_path / "mine").mkdir()
    (tmp_path / "coldchain-rclone-link").symlink_to(tmp_path / "mine")
    (tmp_path / "coldchain-rclone-file").write_bytes(b"not ours")
    sweep(str(tmp_path))
    names = {Path(folder).name for folder in (lived, young)}
    assert {path.name for path in tmp_path.iterdir()} == names | {
        "mine",
        "coldchain-rclone-link",
        "coldchain-rclone-file",
    }
    assert Path(lived, "file").exists()
    os.close(lock)
    sweep(str(tmp_path / "absent"))


def test_p11_starting_rclone_sweeps_its_spool(tmp_path: Path) -> None:
    (tmp_path / "remote").mkdir()
    config = write_config(tmp_path / "rclone.conf", {"here": {"type": "alias", "remote": str(tmp_path / "remote")}})
    left = tmp_path / "spool/coldchain-rclone-left"
    left.mkdir(parents=True)
    (left / "file").write_bytes(b"x")
    os.utime(left, (1e9, 1e9))
    store = RcloneStore("rclone://here", options={"config": str(config), "spool": str(tmp_path / "spool")})
    assert store.volume()
    assert not left.exists()
    store.close()


def test_a_program_that_is_not_there_or_does_not_run_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "rclone"
    broken.write_text("#!/nonexistent\n")
    broken.chmod(0o755)
    for path, said in ((broken, "does not run"), (tmp_path / "none", "there is no program")):
        with pytest.raises(ConfigurationError, match=said):
            RcloneStore("rclone://box", options={"rclone": str(path)}).volume()
