"""``coldchain fleet`` at the command line: folders, destinations by name, and a bucket of SeaweedFS."""

from __future__ import annotations

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.conftest import CONFIGURATION, Desk
from tests.stores.s3.conftest import credentials, weed  # noqa: F401 - fixtures
from tests.stores.s3.serving import Server


@pytest.fixture
def expected(desk: Desk) -> Desk:
    desk.configure(CONFIGURATION.replace('settle = "0 s"', 'settle = "0 s"\nexpect = "2 h"'))
    assert desk.type("run", "--init").code == 0
    return desk


def agent(desk: Desk) -> Path:
    (file,) = (desk.near / ".coldchain" / "agents").iterdir()
    return file


@pytest.mark.parametrize("where", [[], ["near"], ["file://"], ["./near"]])
def test_a_fleet_that_is_well_ends_with_0(expected: Desk, where: list[str]) -> None:
    words = [expected.near.as_uri() if one == "file://" else one for one in where]
    ended = expected.type("fleet", *words)
    assert (ended.code, ended.err) == (0, "")
    (line,) = ended.out.splitlines()
    assert line.startswith("well")
    assert "/rig" in line
    assert "waiting 0 files, 0 B" in line


def test_json_is_as_described(expected: Desk) -> None:
    (said,) = expected.type("fleet", "near", "--json").objects
    assert (said["format"], said["condition"], said["trouble"], said["job"]) == (
        "coldchain-fleet",
        "well",
        False,
        "rig",
    )
    assert said["backlog"] == {"files": 0, "size_bytes": 0}


def test_who_is_late_ends_with_3(expected: Desk) -> None:
    ended = expected.type("fleet", "near", "--late", "1 us")
    assert ended.code == 3
    assert ended.out.startswith("late ")


def test_who_is_retired_is_left_out(expected: Desk) -> None:
    host = json.loads(agent(expected).read_text())["host"]
    for name in (host, f"{host}/rig"):
        assert expected.type("fleet", "near", "--late", "1 us", "--ignore", name).code == 6


def test_a_place_where_nobody_is_ends_with_6(blank: Desk) -> None:
    ended = blank.type("fleet", str(blank.folder))
    assert ended.code == 6
    assert "nobody" in ended.err


def test_a_place_that_cannot_be_read_ends_with_3_and_the_others_are_still_read(expected: Desk) -> None:
    gone = (expected.folder / "gone").as_uri()
    ended = expected.type("fleet", gone, "near")
    assert ended.code == 3
    assert "nothing is known of those who write there" in ended.err
    assert ended.out.startswith("well")
    assert [one["format"] for one in expected.type("fleet", gone, "--json").objects] == ["coldchain-error"]


@pytest.mark.parametrize("words", [("nowhere",), ("near", "--late", "26"), ("s3://key:secret@bucket/",), ("x y://z",)])
def test_a_slip_ends_with_2(expected: Desk, words: tuple[str, ...]) -> None:
    ended = expected.type("fleet", *words)
    assert ended.code == 2
    assert "secret" not in ended.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows names cannot hold these")
def test_what_somebody_wrote_there_cannot_steer_the_terminal(expected: Desk) -> None:
    folder = os.fsencode(agent(expected).parent)
    Path(os.fsdecode(folder + b"/\x1b[31m\nwell ship\xff.json")).write_bytes(b"{}")
    values = json.loads(agent_of(expected).read_text())
    values["jobs"]["rig"] |= {"problem": "\x1b[2J\nwell  other/rig", "exit_code": 3, "coldchain": "\x1b[0m0"}
    agent_of(expected).write_text(json.dumps(values))
    ended = expected.type("fleet", "near")
    assert ended.code == 3
    assert not [line for line in ended.out.splitlines() if line.startswith("well")]


def agent_of(desk: Desk) -> Path:
    return next(file for file in (desk.near / ".coldchain" / "agents").iterdir() if file.name.isascii())


def test_a_fleet_is_read_from_a_bucket_with_its_own_times(desk: Desk, weed: Server) -> None:  # noqa: F811 - fixture
    bucket = weed.bucket()
    text = CONFIGURATION.replace(
        'url = "near"', f'url = "s3://{bucket}/lab"\nendpoint = "{weed.endpoint}"\nregion = "x"'
    )
    desk.configure(text.replace('settle = "0 s"', 'settle = "0 s"\nexpect = "2 h"'))
    assert desk.type("run", "--init").code == 0
    (said,) = desk.type("fleet", "near", "--json").objects
    assert (said["condition"], said["remarks"]) == ("well", [])
    key = next(key for key in weed.keys(bucket) if "/agents/" in key)
    values = json.loads(weed.client.get_object(Bucket=bucket, Key=key)["Body"].read())
    values["jobs"]["rig"] |= {"heard": "2027-11-21T00:00:00+00:00", "due": "2027-11-21T02:00:00+00:00"}
    weed.client.put_object(Bucket=bucket, Key=key, Body=json.dumps(values).encode())
    (said,) = desk.type("fleet", "near", "--json").objects
    assert any("ahead of the store's" in remark for remark in said["remarks"])
    weed.client.put_object(Bucket=bucket, Key=key, Body=b"{}")
    ended = desk.type("fleet", "near")
    assert ended.code == 3
    assert ended.out.startswith("damaged")


def test_people_hear_of_trouble_only_and_of_a_slip_in_the_name_of_the_channel(expected: Desk) -> None:
    heard: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Be quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        text = (expected.folder / "coldchain.toml").read_text()
        expected.configure(text + f'[notify.crew]\nurls = ["json://127.0.0.1:{server.server_address[1]}/"]\n')
        assert expected.type("fleet", "near", "--notify", "crew").code == 0
        assert heard == []
        program = expected.start("fleet", "near", "--late", "1 us", "--notify", "crew")
        err = program.communicate(timeout=60)[1]
        assert (program.returncode, err, len(heard)) == (3, b"", 1)
        assert b"late: was heard" in heard[0]
        assert "did you mean 'crew'" in expected.type("fleet", "near", "--notify", "krew").err
        server.shutdown()
    ended = expected.type("fleet", "near", "--late", "1 us", "--notify", "crew")
    assert ended.code == 3
    assert "crew" in ended.err
