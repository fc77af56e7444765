"""Is everything of an instrument there that writes while its watcher is killed, stands still, or must keep away?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.promises.lab import names
from tests.stores.s3.conftest import credentials as bucket_credentials
from tests.stores.s3.conftest import weed
from tests.stores.s3.serving import Server as BucketServer
from tests.stores.s3.serving import client_of
from tests.stores.smb.conftest import credentials as share_credentials
from tests.stores.smb.conftest import own_samba
from tests.stores.smb.serving import PREFIX
from tests.stores.smb.serving import Server as ShareServer
from tests.watch.elsewhere import Elsewhere
from tests.watch.lab import COLDCHAIN, Lab, until

__all__ = ["bucket_credentials", "own_samba", "share_credentials", "weed"]


@contextmanager
def playing(kind: str, folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """An instrument that writes as long as the block lasts, or until its acquisition is over."""
    words = [*COLDCHAIN, "simulate", kind, str(folder), *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as instrument:
        try:
            yield instrument
        finally:
            instrument.kill()


def hurt(lab: Lab) -> None:
    """kill -9 of the watcher somewhere in the middle, and the next one stands still for ten seconds."""
    lab.start()
    until(lambda: len(lab.stored()) > 0, "something is carried", 120)
    lab.kill()
    lab.start()
    assert lab.process is not None
    lab.process.send_signal(signal.SIGSTOP)
    time.sleep(10)  # the thing itself
    lab.process.send_signal(signal.SIGCONT)


@pytest.mark.faults
def test_an_instrument_that_writes_to_a_share_has_everything_at_its_destination(
    tmp_path: Path, own_samba: ShareServer
) -> None:
    """Nobody tells of what is written there: the share is listed."""
    source = f'{{ url = "{own_samba.url("here")}", credentials = "env:{PREFIX}" }}'
    lab = Elsewhere(tmp_path, source=source, job='poll = "1 s"')
    lab.source = own_samba.place("here")
    try:
        with playing("ifcb", lab.source, "--scale", "0.1", "--rate", "150 KB/s") as instrument:
            hurt(lab)
            assert instrument.wait(180) == 0
        until(lab.is_carried, "everything", 120)
        assert len(lab.stored()) > 10
        lab.judge()
    finally:
        lab.close()


class Mirror:
    """Puts into a bucket what an instrument has written, and once more what it goes on with."""

    def __init__(self, folder: Path, server: BucketServer, bucket: str) -> None:
        self._folder, self._client, self._bucket = folder, client_of(server.endpoint), bucket
        self.history: dict[str, set[str]] = {}
        self._last: dict[str, str] = {}
        self._over = Event()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def finish(self) -> None:
        """Once more for all."""
        self._over.set()
        self._thread.join()
        self._put_all()

    @property
    def replaced(self) -> dict[str, set[str]]:
        """What stood in the bucket and gave way to something else."""
        return {path: digests - {self._last[path]} for path, digests in self.history.items()}

    def _run(self) -> None:
        while not self._over.wait(0.5):
            self._put_all()

    def _put_all(self) -> None:
        for path in names(self._folder):
            content = (self._folder / path).read_bytes()
            digest = sha256(content).hexdigest()
            if self._last.get(path) != digest:
                self._client.put_object(Bucket=self._bucket, Key=path, Body=content)
                self._last[path] = digest
                self.history.setdefault(path, set()).add(digest)


@pytest.mark.faults
def test_an_instrument_whose_files_are_put_into_a_bucket_has_everything_at_its_destination(
    tmp_path: Path, weed: BucketServer
) -> None:
    bucket = weed.bucket()
    options = {"url": f"s3://{bucket}", "endpoint": weed.endpoint, "region": "us-east-1"}
    source = "{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in options.items()) + " }"
    lab = Elsewhere(tmp_path, source=source, job='poll = "1 s"\non_change = "replace"')
    mirror = Mirror(lab.source, weed, bucket)
    try:
        with playing("ifcb", lab.source, "--scale", "0.1", "--rate", "150 KB/s") as instrument:
            hurt(lab)
            assert instrument.wait(180) == 0
        mirror.finish()
        until(lab.is_carried, "everything", 120)
        assert len(lab.stored()) > 10
        lab.judge(mirror.history, given_up=mirror.replaced)
    finally:
        mirror.finish()
        lab.close()
    weed.remove(bucket)


def test_nothing_is_carried_while_an_instrument_acquires(tmp_path: Path) -> None:
    lab = Elsewhere(tmp_path, job='instrument = "merscope"\npause_while = ["acquiring"]')
    try:
        with playing("merscope", lab.source, "--scale", "0.02", "--rate", "150 KB/s") as instrument:
            lab.start()
            while instrument.poll() is None:
                before = lab.stored()
                if instrument.poll() is None:
                    assert before == {}
                time.sleep(0.2)
            assert instrument.returncode == 0
        assert lab.stored() == {}
        assert "may still be written" in lab.type("status").stdout
        long_ago = time.time() - 600  # its markers count when they are five minutes old
        for file in lab.source.rglob("*_FINISHED"):
            os.utime(file, (long_ago, long_ago))
        until(lab.is_carried, "everything, once it was over", 120)
        assert len(lab.stored()) > 5
        lab.judge()
    finally:
        lab.close()
