"""Are the rules of Windows right, as far as they can be tried elsewhere?  Its system calls were never run."""

from __future__ import annotations

import errno
import os
import stat
import sys
import types
from pathlib import Path

import pytest

from coldchain.errors import NameRefused, StoreFull, StoreGone, Unreliable, from_os_error
from coldchain.stores.local.windows import WindowsRoot, _is_link, long_path, refusal, translated
from tests.stores.local.carrying import MTIME_NS, entry


@pytest.mark.parametrize(
    ("path", "long"),
    [
        ("C:\\data", "\\\\?\\C:\\data"),
        ("Z:\\", "\\\\?\\Z:\\"),
        ("C:/data/x", "\\\\?\\C:\\data\\x"),
        ("\\\\server\\share\\x", "\\\\?\\UNC\\server\\share\\x"),
        ("//server/share", "\\\\?\\UNC\\server\\share"),
        ("\\\\?\\C:\\data", "\\\\?\\C:\\data"),
        ("\\\\?\\UNC\\server\\share", "\\\\?\\UNC\\server\\share"),
    ],
)
def test_paths_have_the_form_without_a_limit(path: str, long: str) -> None:
    assert long_path(path) == long == long_path(long)


def test_names_that_would_leave_the_folder_or_hide_the_bytes_are_refused() -> None:
    for name in ("", ".", "..", "..\\x", "a/b", "file:stream", "a\x00", "a\x1f", *'<>"|?*'):
        assert refusal(name)
    for name in ("a", "...", "a.", "é", "CON", ".coldchain", "a b"):
        assert refusal(name) == ""


class _WindowsError(OSError):
    """An OSError as Python on Windows makes it."""

    winerror: int


@pytest.mark.parametrize(
    ("winerror", "kind"),
    [(32, Unreliable), (112, StoreFull), (1295, StoreFull), (123, NameRefused), (64, StoreGone), (19, StoreGone)],
)
def test_errors_of_windows_mean_what_they_say(winerror: int, kind: type[Exception]) -> None:
    error = _WindowsError(errno.EINVAL, "text of Windows")
    error.winerror = winerror
    with pytest.raises(OSError, match="text of Windows") as caught, translated():
        raise error
    assert type(from_os_error(caught.value, url="", key="")) is kind


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(PermissionError), translated():
        raise PermissionError(errno.EACCES, "no")


def test_a_file_that_is_swapped_for_a_link_before_it_is_opened_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"canary")
    (tmp_path / "place").mkdir()
    (tmp_path / "place/f").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError) as caught:
        WindowsRoot(str(tmp_path / "place")).open("f")
    assert caught.value.errno == errno.ELOOP


@pytest.mark.skipif(sys.platform == "win32", reason="there the system's own call opens it")
def test_p02_a_file_that_takes_the_name_of_another_while_it_is_opened_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"seen")
    root, system = WindowsRoot(str(tmp_path)), os.open

    def swapped(path: str, flags: int) -> int:
        (tmp_path / "g").write_bytes(b"another")
        (tmp_path / "g").replace(tmp_path / "f")
        opened.append(system(path, flags))
        return opened[-1]

    opened: list[int] = []
    monkeypatch.setattr(os, "open", swapped)
    with pytest.raises(OSError, match="another file took this name") as caught:
        root.open("f")
    monkeypatch.undo()
    assert caught.value.errno == errno.EBUSY
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])
    os.close(root.open("f"))


@pytest.mark.parametrize(
    ("mode", "tag", "link"),
    [
        (stat.S_IFLNK, 0xA000000C, True),  # a symbolic link
        (stat.S_IFDIR, 0xA0000003, True),  # a junction
        (stat.S_IFREG, 0x80000013, False),  # deduplicated
        (stat.S_IFREG, 0x9000001A, False),  # in the cloud
        (stat.S_IFDIR, 0, False),
        (stat.S_IFREG, 0, False),
    ],
)
def test_p15_what_stands_for_another_name_is_a_link_and_what_is_only_kept_elsewhere_is_none(
    mode: int, tag: int, link: bool
) -> None:
    """Tags from [MS-FSCC] 2.1.2.1."""
    status = types.SimpleNamespace(st_mode=mode | 0o644, st_reparse_tag=tag)
    assert _is_link(status) is link  # type: ignore[arg-type]
    if not tag or mode == stat.S_IFLNK:  # other systems know no tags
        assert _is_link(types.SimpleNamespace(st_mode=mode)) is link  # type: ignore[arg-type]


def test_the_time_of_the_source_is_kept_where_it_is_known(tmp_path: Path) -> None:
    root = WindowsRoot(str(tmp_path))
    fd = root.create("f")
    root.keep(fd, entry("f", mtime_ns=MTIME_NS))
    assert root.stat("f").st_mtime_ns == MTIME_NS
    root.keep(fd, entry("f", mtime_ns=0))
    assert root.stat("f").st_mtime_ns == MTIME_NS
    os.close(fd)


def test_nobody_but_us_reads_what_is_not_yet_published(tmp_path: Path) -> None:
    root = WindowsRoot(str(tmp_path))
    os.close(root.create("f"))
    assert stat.S_IMODE(root.stat("f").st_mode) == 0o600


def test_a_root_that_is_a_file_or_is_not_there_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        WindowsRoot(str(tmp_path / "file"))
    with pytest.raises(FileNotFoundError):
        WindowsRoot(str(tmp_path / "gone"))


def test_folders_are_made_once_and_told(tmp_path: Path) -> None:
    root = WindowsRoot(str(tmp_path))
    assert root.make_folders("a/b") == ["a", "a/b"]
    assert root.make_folders("a/b/c") == ["a/b/c"]
    assert root.make_folders("") == []
    assert os.path.isdir(tmp_path / "a/b/c")
