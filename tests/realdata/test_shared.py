"""Do several machines keep out of each other's way, with one ledger in PostgreSQL and with one each?"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.realdata.field import Field, make, sent, tree, typed, verified
from tests.realdata.hostile import by_hand, contents
from tests.realdata.life import arrives, comes_back, holds, is_told


@pytest.fixture
def two_hosts() -> None:
    """Another name for this machine needs a namespace of its own."""
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    done = subprocess.run(
        ["unshare", "--uts", *user, "hostname", "elsewhere"], capture_output=True, timeout=20, check=False
    )
    if done.returncode:
        pytest.skip(f"no other host can be played here: {done.stderr.decode()}")


@pytest.mark.xdist_group("postgres")
def test_a_ledger_in_postgresql_through_the_whole_life(data: Path, tmp_path: Path, postgres_url: str) -> None:
    source = tmp_path / "source"
    make(source, contents(by_hand(), b"odd"))
    shutil.copytree(data / "ifcb" / "white", source / "white")
    field = Field(tmp_path / "field", source, ("{path}", "x/{job}/{path}"), ledger=postgres_url)
    here = arrives(field)
    before = field.data()
    assert sent(field.run()) == 0
    is_told(field, list(here)[::10])

    bad, lost = sorted(here)[0], sorted(here)[-1]
    root = os.fsencode(field.places["place1"])
    os.unlink(root + b"/" + lost)
    said = os.stat(root + b"/" + bad)
    with open(root + b"/" + bad, "r+b") as file:
        file.write(b"?")
    os.utime(root + b"/" + bad, ns=(said.st_atime_ns, said.st_mtime_ns))
    (found,) = field("check", "--json", code=4).json()
    assert {(one["path"], one["state"]) for one in found["findings"]} == {
        (typed(bad), "corrupt"),
        (typed(lost), "lost"),
    }
    mended, again, listed, history = field.many(
        [["check", "--json", "--repair"], ["run", "--json"], ["list", "--json"], ["history", "--verify"]]
    )
    assert mended.json()[-1]["mended"] == 2
    assert sent(again.report()) == 0
    assert "unbroken" in history.out
    holds(field, here)
    kept = {place: {key: seen.kept for key, seen in files.items()} for place, files in before.items()}
    assert {place: {k: seen.kept for k, seen in files.items()} for place, files in field.data().items()} == kept
    comes_back(field, here, sorted({row["dataset"] for row in listed.json()}))

    import psycopg  # a lost ledger: another, empty database

    server, name = postgres_url.rsplit("/", 1)
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name}")
    rebuilt, after = field.many([["rebuild", "--json"], ["run", "--json"]])
    assert rebuilt.json()[-1]["rebuilt"]["files"] == 2 * len(here)
    assert sent(after.report()) == 0


@pytest.mark.xdist_group("postgres")
@pytest.mark.usefixtures("two_hosts")
def test_two_hosts_share_a_ledger_in_postgresql(data: Path, tmp_path: Path, postgres_url: str) -> None:
    layouts = ("{path}", "{path}")
    one = Field(tmp_path / "one", data / "behaviour", layouts, ledger=postgres_url)
    two = Field(tmp_path / "two", data / "behaviour", layouts, ledger=postgres_url)
    config = one.config.read_text()
    two.config.write_text(config)  # the same places; locks and logs of its own
    two.places = one.places
    one("init", host="alpha")
    files = len(tree(data / "behaviour"))
    assert sent(one.run(host="alpha")) == 2 * files
    refused = two("run", host="beta", code=3)
    assert "alpha" in refused.error
    assert "--accept-destination" in refused.error
    accept = [word for place in two.places for word in ("--accept-destination", place)]
    assert sent(two.run(*accept, host="beta")) == 0
    assert sent(two.run(host="beta")) == 0
    assert sent(one.run(host="alpha")) == 0
    holds(one, tree(data / "behaviour"))
    assert "unbroken" in two("history", "--verify", host="beta").out


@pytest.mark.xdist_group("postgres")
@pytest.mark.usefixtures("two_hosts")
def test_the_same_job_on_two_hosts_at_once_runs_once(tmp_path: Path, postgres_url: str) -> None:
    source = tmp_path / "source"
    make(source, contents([b"run/%d.tif" % number for number in range(1500)]))
    one = Field(tmp_path / "one", source, ledger=postgres_url)
    two = Field(tmp_path / "two", source, ledger=postgres_url)
    two.config.write_text(one.config.read_text())
    one("init", host="alpha")
    first = one.start("run", host="alpha")
    while not (one.places["place1"] / "run").exists():
        assert first.poll() is None, first.communicate()
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # in the middle of its work
    try:
        refused = two("run", host="beta", code=5)
        assert "another machine" in refused.error
        assert "running already" in one("run", host="alpha", code=5).error
    finally:
        first.send_signal(signal.SIGCONT)
    said, _ = first.communicate(timeout=60)
    assert first.returncode == 0, said
    holds(one, tree(source))


@pytest.mark.usefixtures("two_hosts")
def test_two_hosts_with_ledgers_of_their_own_lose_nothing_at_one_destination(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    make(mine, [(b"run/same", b"equal"), (b"run/other", b"of alpha"), (b"run/alpha", b"only alpha")])
    make(theirs, [(b"run/same", b"equal"), (b"run/other", b"of beta"), (b"run/beta", b"only beta")])
    one, two = Field(tmp_path / "one", mine), Field(tmp_path / "two", theirs)
    two.config.write_text(two.config.read_text().replace(str(two.places["place1"]), str(one.places["place1"])))
    two.places = one.places
    one("init", host="alpha")
    assert verified(one.run(host="alpha"), "place1") == 3
    before = one.data()["place1"]

    refused = two("run", host="beta", code=3)
    assert "belongs to job job on alpha" in refused.error
    assert one.data()["place1"] == before
    two("init", host="beta")
    for _ in range(2):
        report = two.run(host="beta", code=3)
        assert verified(report, "place1") == 2
        (trouble,) = report["datasets"][-1]["troubles"]
        assert (trouble["path"], trouble["state"]) == ("run/other", "refused")
    there = one.data()["place1"]
    assert {key: there[key] for key in before} == before
    assert there.keys() == before.keys() | {b"run/beta"}
    again = one.run(host="alpha")
    assert (verified(again, "place1"), sent(again)) == (3, 0)
    assert one.data()["place1"] == there


def test_another_source_under_the_same_job_name_replaces_nothing(tmp_path: Path) -> None:
    """A configuration that was copied, with another source: the manifests there are not of a ledger that was lost."""
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    make(mine, [(b"run/same", b"equal"), (b"run/other", b"of the first")])
    make(theirs, [(b"run/same", b"equal"), (b"run/other", b"of the second")])
    one, two = Field(tmp_path / "one", mine), Field(tmp_path / "two", theirs)
    two.config.write_text(two.config.read_text().replace(str(two.places["place1"]), str(one.places["place1"])))
    one("init")
    one.run()
    before = one.data()
    two("init")
    for _ in range(2):
        report = two.run(code=3)
        (trouble,) = report["datasets"][-1]["troubles"]
        assert (trouble["path"], trouble["state"]) == ("run/other", "refused")
    assert one.data() == before
    assert sent(one.run()) == 0
