"""Is everything there of an instrument that wrote for minutes, while all that is between died and stood still?"""

from __future__ import annotations

import contextlib
import hashlib
import signal
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.soak.server import buckets
from tests.stores.s3.conftest import credentials as bucket_credentials
from tests.watch.elsewhere import Elsewhere
from tests.watch.lab import until
from tests.watch.test_instruments import playing

__all__ = ["bucket_credentials"]

STANDS_STILL_S = 60
AWAY_S = 15


@pytest.mark.faults
@pytest.mark.usefixtures("bucket_credentials")
def test_a_bucket_whose_server_is_killed_has_everything_of_an_instrument_that_went_on_for_minutes(
    tmp_path: Path,
) -> None:
    """kill -9 of the server and of the watcher; SIGSTOP of the watcher for a minute, and of the server."""
    with buckets(tmp_path / "weed") as (weed, _):
        bucket = weed.server.bucket()
        more = f'endpoint = "{weed.server.endpoint}"\nregion = "us-east-1"\npatience = "2 s"'
        lab = Elsewhere(tmp_path, url=f"s3://{bucket}", more=more)

        def stored() -> dict[str, str]:
            client = weed.server.client
            found: dict[str, str] = {}
            for key in (key for key in weed.server.keys(bucket) if not key.startswith(".coldchain/")):
                with contextlib.suppress(ClientError):  # what the server was killed over is listed, and cannot be read
                    body = client.get_object(Bucket=bucket, Key=key)["Body"].read()
                    found[key] = hashlib.sha256(body).hexdigest()
            return found

        def carried() -> bool:
            return lab.here().items() <= stored().items()

        try:
            with playing("ifcb", lab.source, "--scale", "0.3", "--rate", "100 KB/s") as instrument:
                lab.start()
                until(stored, "something is carried", 120)
                weed.kill()
                time.sleep(AWAY_S)  # the thing itself, like the sleeps below
                assert lab.process is not None
                assert lab.process.poll() is None, "a watcher outlives its destination"
                weed.begin()
                weed.wait()
                before = len(stored())
                until(lambda: len(stored()) > before, "what came meanwhile", 180)
                lab.kill()
                lab.start()
                lab.process.send_signal(signal.SIGSTOP)
                time.sleep(STANDS_STILL_S)
                lab.process.send_signal(signal.SIGCONT)
                assert instrument.poll() is None, "it wrote all the time"
                assert instrument.wait(300) == 0
            until(carried, "everything", 180)
            assert len(stored()) > 10
        finally:
            lab.close()
        for command in ("run", "check"):
            ended = lab.type(command, "rig")
            assert ended.returncode == 0, ended.stdout + ended.stderr
        assert not weed.server.uploads(bucket)
