"""Does a watcher keep its word with servers, with schedules and with people?"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.notify.posts import Office, serving
from tests.ports import free_port
from tests.stores.s3.conftest import credentials as bucket_credentials
from tests.stores.s3.conftest import weed
from tests.stores.s3.proxy import Exchange, proxied
from tests.stores.s3.serving import Server as BucketServer
from tests.stores.s3.serving import client_of
from tests.stores.smb.conftest import credentials as share_credentials
from tests.stores.smb.conftest import own_samba
from tests.stores.smb.serving import PREFIX
from tests.stores.smb.serving import Server as ShareServer
from tests.watch.elsewhere import Elsewhere
from tests.watch.lab import Lab, until

__all__ = ["bucket_credentials", "own_samba", "share_credentials", "weed"]


def in_bucket(server: BucketServer, bucket: str) -> dict[str, str]:
    """Key -> SHA-256 of the content, without what is coldchain's own."""
    client = client_of(server.endpoint)
    keys = [key for key in server.keys(bucket) if not key.startswith(".coldchain/")]
    return {key: hashlib.sha256(client.get_object(Bucket=bucket, Key=key)["Body"].read()).hexdigest() for key in keys}


def test_a_bucket_that_refuses_for_a_while_has_everything_afterwards(tmp_path: Path, weed: BucketServer) -> None:
    """503 for ever and broken lines, as of a server that is killed; then it is well again."""
    bucket = weed.bucket()
    with proxied(weed.endpoint) as proxy:
        more = f'endpoint = "{proxy.endpoint}"\nregion = "us-east-1"\npatience = "1 s"'
        lab = Elsewhere(tmp_path, url=f"s3://{bucket}", more=more)
        lab.write("one/first")
        lab.start()
        try:
            until(lambda: in_bucket(weed, bucket) == lab.here(), "the first")
            proxy.spoil(".*", "", _overloaded, times=None)
            for number in range(3):
                lab.write(f"two/{number}")
            until(lambda: "near" in lab.said, "that it is away is said", 120)
            proxy.heal()
            until(lambda: in_bucket(weed, bucket) == lab.here(), "what it missed", 120)
        finally:
            lab.close()
        assert not weed.uploads(bucket)
    weed.remove(bucket)


def _overloaded(exchange: Exchange) -> None:
    exchange.say(503, "SlowDown")


def test_a_share_whose_server_is_killed_is_a_source_and_a_destination_again(
    tmp_path: Path, own_samba: ShareServer
) -> None:
    here, there = own_samba.place("here"), own_samba.place("there")
    (here / "one").mkdir()
    share, options = own_samba.url("here"), f'credentials = "env:{PREFIX}"'
    source = f'{{ url = "{share}", credentials = "env:{PREFIX}", patience = "2 s" }}'
    lab = Elsewhere(
        tmp_path, source=source, url=own_samba.url("there"), more=f'{options}\npatience = "2 s"', job='poll = "1 s"'
    )
    acquire(here / "one" / "first")
    lab.start()
    try:
        until((there / "one" / "first").exists, "the first, by a look at the share", 60)
        own_samba.stop()
        acquire(here / "one" / "second")
        until(lambda: "it is tried again)" in lab.said, "that the share is away is said", 60)
        own_samba.start()
        until((there / "one" / "second").exists, "what came meanwhile", 90)
        assert lab.said.count("it is tried again)") <= 3, lab.said
    finally:
        lab.close()
    assert (there / "one" / "second").read_bytes() == b"content of second"


def acquire(file: Path) -> None:
    file.write_bytes(f"content of {file.name}".encode())


def test_a_mail_that_could_not_be_sent_goes_out_while_nothing_happens(tmp_path: Path) -> None:
    """No run is needed for it: the watcher asks the spool now and then."""
    port, office = free_port(), Office()
    people = 'sender = "rig@example.org", to = ["crew@example.org"]'
    mail = f'{{ host = "127.0.0.1", port = {port}, {people}, security = "none" }}'
    lab = Elsewhere(tmp_path, more=f"[notify.crew]\nmail = {mail}", job='notify = ["crew"]')
    (lab.at["near"] / "one").mkdir()
    (lab.at["near"] / "one" / "wrong").write_bytes(b"somebody else's")
    lab.write("one/wrong")
    lab.start()
    try:
        until(lambda: lab.waiting_messages() > 0, "a message waits", 60)
        runs = len(lab.runs())
        with serving(office, port=port):
            until(lambda: office.mails, "the mail arrives", 150)
            assert "one/wrong" in str(office.mails[0].get_body(("plain",)))
            time.sleep(1)
            assert len(office.mails) == 1
        assert len(lab.runs()) <= runs + 8, "what fails is tried ever more rarely"
    finally:
        lab.close()


def test_a_job_with_a_schedule_runs_at_its_times_and_makes_up_for_one_that_was_missed(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    later = now + timedelta(hours=3)
    lab = Elsewhere(tmp_path, job=f'schedule = "{later.minute} {later.hour} * * *"\ntimezone = "UTC"')
    lab.write("one/first")
    assert lab.type("run", "rig", "--set", "jobs.rig.settle='0 s'").returncode == 0
    lab.write("one/second")
    lab.start("--scheduled")
    try:
        time.sleep(3)  # it is not yet time: nothing may happen
        assert len(lab.runs()) == 1
        assert "one/second" not in lab.stored()
    finally:
        lab.close()
    lab.age_the_last_run(timedelta(days=2, hours=5))
    lab.start("--scheduled")
    try:
        until(lambda: "one/second" in lab.stored(), "one time that was missed", 60)
        time.sleep(2)
        assert len(lab.runs()) == 2, "one, however many were missed"
    finally:
        lab.close()


def test_nothing_is_carried_while_a_program_runs(tmp_path: Path) -> None:
    program = tmp_path / "acquire-canary"
    program.symlink_to("/bin/sleep")
    lab = Elsewhere(tmp_path, job='pause_while = ["acquire-can*"]')
    with subprocess.Popen([str(program), "600"]) as acquiring:
        try:
            lab.write("one/first")
            lab.start(phase="paused")
            time.sleep(3)  # the thing itself: it waits
            assert lab.stored() == {}
            assert "acquire-canary is running" in lab.type("status").stdout
        finally:
            acquiring.kill()
    try:
        until(lab.is_carried, "what waited", 60)
    finally:
        lab.close()


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
def test_a_watcher_leaves_processor_and_disk_to_others(tmp_path: Path) -> None:
    import psutil

    lab = Elsewhere(tmp_path)
    lab.start()
    try:
        assert lab.process is not None
        watcher = psutil.Process(lab.process.pid)
        assert watcher.nice() > os.nice(0)
        assert watcher.ionice().ioclass in (psutil.IOPRIO_CLASS_IDLE, psutil.IOPRIO_CLASS_BE)
    finally:
        lab.close()


def test_the_word_at_a_destination_says_that_another_one_is_away(tmp_path: Path) -> None:
    lab = Lab(tmp_path, ("near", "far"))
    lab.write("one/first")
    lab.start()
    try:
        until(lab.is_carried, "the first")
        lab.at["far"].rename(tmp_path / "gone")
        lab.write("one/second")
        until(lambda: "one/second" in lab.stored("near"), "the other one is served")
        until(lambda: lab.type("fleet", "near").returncode == 3, "fleet says that not all is well", 60)
        assert "away: far" in lab.type("fleet", "near").stdout
    finally:
        lab.close()
