"""Is everything told that lies on a remote and is no plain file?"""

from __future__ import annotations

import os
import threading
import uuid
from pathlib import Path

import pytest

from coldchain.config.values import Destination
from coldchain.errors import NotAFile
from coldchain.model import Entry, Oddity, Place
from coldchain.stores.rclone.oddities import view_of
from coldchain.stores.rclone.store import RcloneStore
from coldchain.stores.rclone.where import where
from tests.promises.lab import Lab, data, reasons, states
from tests.stores.rclone.serving import HASTY, Remotes

REMOTES = ["alias", "local", "followed", "sftp", "by-ssh", "crypt-by-ssh"]
ODD = {"broken", "circle", "into", "out", "pipe", "sub/out"}


def place_of(remotes: Remotes, remote: str) -> tuple[str, Path]:
    """A URL, and the folder of this machine that it stands for."""
    top, name = remotes.config.parent, f"odd-{uuid.uuid4().hex[:8]}"
    folder = {"alias": top / "plain", "crypt-by-ssh": top / "by-ssh/c"}.get(remote, top / "by-ssh") / name
    folder.mkdir(parents=True)
    return f"rclone://{remote}/{name if remote in {'alias', 'by-ssh', 'crypt-by-ssh'} else folder}", folder


def spoil(folder: Path) -> None:
    """Everything that is no plain file, beside something that is."""
    (folder / "sub").mkdir(exist_ok=True)
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere/file").write_bytes(bytes(64))
    (folder / "out").symlink_to("elsewhere/file")
    (folder / "sub/out").symlink_to("/etc/passwd")
    (folder / "into").symlink_to("elsewhere")
    (folder / "circle").symlink_to(".")
    (folder / "broken").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")


def opened(url: str, remotes: Remotes) -> RcloneStore:
    return RcloneStore(url, options=remotes.options(), patience=HASTY)


@pytest.mark.parametrize("remote", REMOTES)
def test_p01_links_and_pipes_are_told_and_never_followed(remotes: Remotes, remote: str) -> None:
    url, folder = place_of(remotes, remote)
    spoil(folder)
    store = opened(url, remotes)
    found = list(store.list())
    assert {item.path for item in found if isinstance(item, Oddity)} == ODD
    assert [item.path for item in found if isinstance(item, Entry)] == ["elsewhere/file"]
    assert [item.path for item in found] == sorted(item.path for item in found)
    assert list(store.folders()) == ["elsewhere", "sub"]
    for path in ("out", "pipe", "sub/out"):
        with pytest.raises(NotAFile):
            opened(url, remotes).stat(path)
        with pytest.raises(NotAFile):
            opened(url, remotes).read(path)


@pytest.mark.parametrize("remote", ["alias", "by-ssh"])
def test_p01_a_run_from_a_remote_with_links_and_pipes_names_each_of_them(
    remotes: Remotes, remote: str, tmp_path: Path
) -> None:
    url, folder = place_of(remotes, remote)
    spoil(folder)
    lab = Lab(tmp_path / "lab")
    report = lab.run(lab.job(source=Place("lab", url, tuple(remotes.options().items()))))
    assert report.exit_code == 3
    assert set(reasons(report)) == ODD
    assert set(data(lab.nas)) == {"elsewhere/file"}


@pytest.mark.parametrize("remote", ["alias", "by-ssh"])
def test_p05_a_link_at_the_destination_is_no_copy_and_is_not_written_through(
    remotes: Remotes, remote: str, tmp_path: Path
) -> None:
    url, folder = place_of(remotes, remote)
    lab = Lab(tmp_path / "lab")
    lab.acquire(3)
    job = lab.job(destinations=(Destination(Place("nas", url, tuple(remotes.options().items()))),))
    (folder / "run").mkdir()
    (tmp_path / "own").write_bytes((lab.source / "run/f0001.tif").read_bytes())
    (folder / "run/f0001.tif").symlink_to(tmp_path / "own")  # equal bytes, and yet no copy
    os.mkfifo(folder / "run/f0002.tif")
    report = lab.run(job)
    assert report.exit_code == 3
    assert set(reasons(report)) == {"run/f0001.tif", "run/f0002.tif"}, reasons(report)
    assert states(report)["verified"] == len(data(lab.source)) - 2
    assert (folder / "run/f0001.tif").is_symlink()


def test_listings_at_once_are_not_told_what_others_left_out(remotes: Remotes) -> None:
    places = [place_of(remotes, "alias") for _ in range(4)]
    for number, (_, folder) in enumerate(places):
        for name in range(3):
            (folder / f"link-{number}-{name}").symlink_to("nowhere")
    found: dict[int, list[str]] = {}

    def look(number: int) -> None:
        for _ in range(10):
            found.setdefault(number, []).extend(item.path for item in opened(places[number][0], remotes).list())

    threads = [threading.Thread(target=look, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(4):
        assert found[number] == [f"link-{number}-{name}" for name in range(3)] * 10


def test_wrapped_remotes_are_seen_through() -> None:
    settings = {
        "deep": {"type": "crypt", "remote": "mid:x"},
        "mid": {"type": "alias", "remote": "ssh:/a'b"},
        "ssh": {"type": "sftp"},
        "fly": {"type": "alias", "remote": ":sftp,host=h:/x"},
        "circle": {"type": "alias", "remote": "circle:"},
        "box": {"type": "box"},
        "many": {"type": "union", "upstreams": "ssh:a ssh:b"},
    }
    views = {name: view_of(where(f"rclone://{name}/f", {}), settings.__getitem__) for name in settings}
    assert views["ssh"].plain == "ssh,skip_links=true:f"
    assert views["mid"].plain == "mid,remote='ssh,skip_links=true:/a''b':f"
    assert views["deep"].plain == "deep,remote='mid,remote=''ssh,skip_links=true:/a''''b'':x':f"
    assert views["fly"].plain == "fly,remote=':sftp,skip_links=true,host=h:/x':f"
    assert views["box"] == ("", "box:f", False)
    assert views["many"].told
    assert not views["circle"].full
