"""Are places that lie in one another refused before anything is copied into itself? (fault 63)"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import complaint, read


def _text(source: str, *urls: str, top: str = "state = '/s'") -> str:
    names = [f"d{number}" for number, _ in enumerate(urls, start=1)]
    tables = "".join(f"[destinations.{name}]\nurl = '{url}'\n" for name, url in zip(names, urls, strict=True))
    return f"version = 1\n{top}\n[jobs.m]\nsource = '{source}'\ndestinations = {names}\n{tables}"


@pytest.mark.parametrize(
    ("source", "urls", "said"),
    [
        ("/a", ["/a"], "destination 'd1' is the source itself"),
        ("/a", ["/a/"], "destination 'd1' is the source itself"),
        ("/a", ["/b/../a"], "destination 'd1' is the source itself"),
        ("/a", ["file:///a"], "destination 'd1' is the source itself"),
        ("/a b", ["file:///a%20b/c"], "destination 'd1' lies inside the source"),
        ("/a", ["/b", "/a/b/c"], "destination 'd2' lies inside the source"),
        ("/a/b", ["/a"], "the source lies inside destination 'd1'"),
        ("/a", ["/"], "the source lies inside destination 'd1'"),
        (".", ["backup"], "destination 'd1' lies inside the source"),
        ("/a", ["/b", "/b/"], "destinations 'd1' and 'd2' are the same place"),
        ("/a", ["/b/c", "/b"], "destination 'd1' lies inside destination 'd2'"),
        ("/a", ["/b", "/b/c"], "destination 'd2' lies inside destination 'd1'"),
        ("Z:\\runs", ["z:/Runs/x"], "destination 'd1' lies inside the source"),
        ("Z:\\", ["Z:\\copy"], "destination 'd1' lies inside the source"),
        (r"\\nas\lab", [r"\\NAS\lab\x"], "destination 'd1' lies inside the source"),
        ("s3://bkt/x", ["s3://bkt/x/"], "destination 'd1' is the source itself"),
        ("s3://bkt/x", ["s3://bkt"], "the source lies inside destination 'd1'"),
        ("s3://bkt", ["s3://bkt/x/y"], "destination 'd1' lies inside the source"),
        ("az://box", ["gs://bkt/x", "gs://bkt"], "destination 'd1' lies inside destination 'd2'"),
        ("sftp://reader@NAS/data", ["sftp://writer@nas:22/data/x"], "destination 'd1' lies inside the source"),
        ("smb://nas/Lab", ["smb://me@NAS:445/lab/x"], "destination 'd1' lies inside the source"),
        ("smb://nas/lab", [r"\\NAS\lab\x"], "destination 'd1' lies inside the source"),
        ("rclone://box/a", ["rclone://box"], "the source lies inside destination 'd1'"),
        ("webdav://h/a", ["fsspec+webdav://h/a/"], "destination 'd1' is the source itself"),
    ],
)
def test_places_that_lie_in_one_another_are_refused(tmp_path: Path, source: str, urls: list[str], said: str) -> None:
    assert f"[jobs.m] destinations: {said}" in complaint(tmp_path, _text(source, *urls))


@pytest.mark.parametrize(
    ("source", "urls"),
    [
        ("/a", ["/ab", "/b", "/bc"]),
        ("/a/b", ["/a/c"]),
        ("Z:\\runs", ["Z:\\copies", "Y:\\runs"]),
        ("s3://bkt/x", ["s3://bkt/xy", "s3://ckt/x", "gs://bkt/x"]),
        ("/b/x", ["s3://bkt/x"]),
        ("sftp://nas/a", ["sftp://nas:2222/a", "sftp://nas/A", "sftp://nas2/a"]),
        ("smb://nas/a", ["smb://nas/b", "sftp://nas/a"]),
        ("rclone://box/a", ["rclone://Box/a", "rclone://box/ab"]),
    ],
)
def test_neighbours_are_welcome(tmp_path: Path, source: str, urls: list[str]) -> None:
    assert len(read(tmp_path, _text(source, *urls)).jobs["m"].destinations) == len(urls)


def test_a_link_does_not_hide_that_a_destination_lies_in_the_source(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to("data/deep")
    assert "destination 'd1' lies inside the source" in complaint(tmp_path, _text("data", "link"))
    assert "destination 'd1' lies inside the source" in complaint(tmp_path, _text("data", "link/not/yet"))
    assert "the source lies inside destination 'd1'" in complaint(tmp_path, _text("link", "data"))


def test_a_loop_of_links_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert read(tmp_path, _text("loop/x", "to")).jobs


def test_a_folder_that_many_jobs_send_to_is_allowed(tmp_path: Path) -> None:
    text = _text("/a", "/to") + "[jobs.n]\nsource = '/b'\ndestinations = ['d1']\n"
    assert len(read(tmp_path, text).jobs) == 2


@pytest.mark.parametrize(
    ("top", "said"),
    [
        ("", "state: lies inside the source of job 'm'"),
        ("state = '/a/x'", "state: lies inside the source of job 'm'"),
        ("state = '/s'\nledger = '/a/led.db'", "ledger: lies inside the source of job 'm'"),
    ],
)
def test_our_own_notes_are_never_carried_as_data(tmp_path: Path, top: str, said: str) -> None:
    assert said in complaint(tmp_path, _text("/a" if top else ".", "/to", top=top))


@pytest.mark.parametrize(
    ("source", "url", "options", "apart"),
    [
        ("{ url = 's3://bkt', endpoint = 'http://a:9000' }", "s3://bkt/x", "endpoint = 'http://A:9000/'", False),
        ("{ url = 's3://bkt', endpoint = 'http://a:9000' }", "s3://bkt/x", "endpoint = 'http://b:9000'", True),
        ("{ url = 's3://bkt', endpoint = 'http://a:9000' }", "s3://bkt/x", "", True),
        ("{ url = 's3://bkt', profile = 'a' }", "s3://bkt/x", "profile = 'b'", False),
        ("{ url = 'az://box', account = 'a' }", "az://box/x", "account = 'b'", True),
        ("{ url = 'az://box', account = 'a' }", "az://box/x", "account = 'a'", False),
        ("{ url = 'az://box', account = 'a' }", "az://box/x", "", False),
    ],
)
def test_buckets_of_one_name_are_apart_where_another_service_keeps_them(
    tmp_path: Path, source: str, url: str, options: str, apart: bool
) -> None:
    text = _text("SOURCE", url).replace("'SOURCE'", source) + options
    if apart:
        assert read(tmp_path, text).jobs
    else:
        assert "destination 'd1' lies inside the source" in complaint(tmp_path, text)
