"""Is a run shown on a page that needs nothing but a browser, and that no name can steer?"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from coldchain.cli.plots import throughput_plot
from coldchain.monitor import SILENT
from coldchain.operate.sampling import POINTS, Sampling
from tests.cli.conftest import Desk

VOID = {"meta", "br"}


class Page(HTMLParser):
    """A strict reader: every element is closed, and what they are and say is kept."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())

    @property
    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}


def page(desk: Desk, *words: str) -> Page:
    ended = desk.type("report", *words, "--html")
    assert ended.code == 0
    return Page((desk.folder / ended.out.strip()).read_text(encoding="utf-8"))


def test_the_page_tells_what_came_of_the_run(stored: Desk) -> None:
    shown = page(stored)
    for said in ("rig, run 1", "all verified", "4 files, 800 B", "one", "two", "near", "readback"):
        assert said in shown.text
    assert (stored.folder / "coldchain-run-1.html").exists()


def test_the_page_needs_nothing_from_elsewhere_and_runs_nothing(stored: Desk) -> None:
    shown = page(stored)
    assert not shown.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base", "a"}
    for _, attributes in shown.elements:
        assert not [name for name in attributes if name.startswith("on") or name in {"src", "href", "style"}]
    (policy,) = [a["content"] for tag, a in shown.elements if tag == "meta" and "http-equiv" in a]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_every_file_that_is_not_verified_stands_there_with_its_reason(desk: Desk) -> None:
    assert desk.type("run", "--init", "--set", "jobs.rig.settle=1 h").code == 3
    shown = page(desk)
    for path in ("one/0.tif", "one/1.tif", "two/0.tif", "two/1.tif"):
        assert path in shown.text
    assert "it must be left alone for" in shown.text
    assert "not everything is verified" in shown.text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names cannot hold these")
def test_no_name_can_steer_the_page(desk: Desk) -> None:
    hostile = b"<script>alert(1)<\n\x1b[31m\xff\"'> {{ 7 * 7 }} \xe2\x80\xae&amp;"
    folder = os.fsencode(desk.source) + b"/" + hostile
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/<img src=x onerror=alert(1)>")).write_bytes(b"x")
    Path(os.fsdecode(folder + b"/link")).symlink_to("<b>")
    assert desk.type("run", "--init").code == 3
    assert desk.type("run", "--set", "jobs.rig.settle=1 h").code == 3
    for number in ("1", "2"):
        shown = page(desk, number)
        assert not shown.tags & {"script", "img", "b"}
        assert "<script>alert(1)<\\n\\x1b[31m\\udcff\"'> {{ 7 * 7 }} \\u202e&amp;" in shown.text


def test_a_page_is_written_over_a_page_only(stored: Desk) -> None:
    assert stored.type("report", "1", "page.html", "--html").code == 0
    assert stored.type("report", "1", "page.html", "--html").code == 0
    other = stored.source / "one" / "0.tif"
    before = other.read_bytes()
    ended = stored.type("report", "1", str(other), "--html")
    assert ended.code == 2
    assert "no page of coldchain" in ended.err
    assert other.read_bytes() == before
    ended = stored.type("report", "1", "nowhere/page.html", "--html")
    assert ended.code == 2
    assert not list(stored.folder.glob(".page*"))
    assert stored.type("report", "1", "page.html").code == 2


def test_a_page_can_go_to_standard_output(stored: Desk) -> None:
    ended = stored.type("report", "1", "-", "--html")
    assert ended.out.startswith("<!doctype html>")
    Page(ended.out)


def test_a_check_and_a_run_that_could_not_go_on_have_their_page(stored: Desk) -> None:
    (stored.near / "one" / "0.tif").unlink()
    assert stored.type("check").code == 4
    shown = page(stored, "2")
    assert "a stored copy is wrong" in shown.text
    assert "one/0.tif" in shown.text


def test_the_plot_is_drawn_of_what_moved(desk: Desk) -> None:
    (desk.source / "one" / "big.bin").write_bytes(b"b" * (8 << 20))
    assert desk.type("run", "--init").code == 0
    assert "svg" in page(desk).tags
    (report,) = desk.type("report", "--json").objects
    assert sum(report["throughput"]["moved_bytes"]) == (8 << 20) + 800


def test_a_plot_is_well_formed_and_stays_in_its_frame() -> None:
    for step_s, moved in ((0.25, [5]), (16.0, [0, 3 << 30] * 120), (0.25, [1] * 240)):
        drawn = throughput_plot({"step_s": step_s, "moved_bytes": moved}, 1.0)
        assert drawn is not None
        root = ElementTree.fromstring(drawn)
        for path in root.iter("path"):
            numbers = [float(x) for x in path.attrib["d"].replace("M", " ").replace("L", " ").strip("Z ").split()]
            assert all(0 <= x <= 960 for x in numbers[::2])
            assert all(0 <= y <= 240 for y in numbers[1::2])
    for nothing in ({}, {"step_s": 1.0, "moved_bytes": []}, {"step_s": 0, "moved_bytes": [1]}, {"step_s": "x"}):
        assert throughput_plot(nothing, 1.0) is None


def test_samples_of_a_long_run_stay_few_and_lose_no_byte() -> None:
    """The clock is the real one: steps are made so short that half a second of it is long."""
    sampling = Sampling(SILENT)
    sampling._step_s = 0.5 / POINTS / 8
    import time

    until, count = time.monotonic() + 0.5, 0
    while time.monotonic() < until:
        sampling.moved(3)
        count += 1
    throughput = sampling.throughput()
    moved = throughput["moved_bytes"]
    assert isinstance(moved, list)
    assert len(moved) <= POINTS
    assert sum(moved) == 3 * count


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium")
def test_a_browser_draws_the_page_without_complaint(stored: Desk, tmp_path: Path) -> None:
    page(stored)
    picture = tmp_path / "page.png"
    words = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    words += ["--enable-logging=stderr", "--window-size=1100,1200", f"--screenshot={picture}"]
    file = stored.folder / "coldchain-run-1.html"
    done = subprocess.run([*words, file.as_uri()], capture_output=True, check=True, timeout=60)
    assert b"CONSOLE" not in done.stderr  # where a style that the policy forbids would be named
    assert picture.stat().st_size > 20_000
