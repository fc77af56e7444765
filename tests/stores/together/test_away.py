"""Row 81: when a server is switched off, does each of very many files wait for it anew?"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from coldchain.errors import NotFound, StoreGone
from coldchain.stores.azure.store import AzureStore
from coldchain.stores.base import Store
from coldchain.stores.gcs.store import GcsStore
from coldchain.stores.objects.patience import Patience
from coldchain.stores.rclone.calling import Patience as RclonePatience
from coldchain.stores.rclone.daemon import running
from coldchain.stores.rclone.store import RcloneStore
from coldchain.stores.rclone.where import where
from coldchain.stores.s3.store import S3Store
from tests.ports import free_port
from tests.stores.fsspec.conftest import CANARY, Served
from tests.stores.rclone.serving import obscured, write_config
from tests.stores.together.brittle import Brittle
from tests.stores.together.worlds import Buckets

AWAY_S = 4.0
BUCKETS: dict[str, tuple[str, Callable[..., Store]]] = {
    "s3": ("weed", S3Store),
    "gs": ("gcs", GcsStore),
    "az": ("azurite", AzureStore),
}


@pytest.mark.parametrize("kind", BUCKETS)
def test_row_81_a_bucket_that_could_not_be_reached_is_left_alone_for_seconds(
    kind: str, request: pytest.FixtureRequest
) -> None:
    fixture, store_of = BUCKETS[kind]
    server: Buckets = request.getfixturevalue(fixture)
    bucket, port = server.bucket(), free_port()
    options = server.options() | {"endpoint": re.sub(r":\d+", f":{port}", server.endpoint, count=1)}
    patience = Patience(tries=4, first_wait_s=0.4, away_s=AWAY_S)
    left_alone(store_of(f"{kind}://{bucket}", options=options, patience=patience), port, urlsplit(server.endpoint).port)
    server.remove(bucket)


def test_row_81_a_remote_that_could_not_be_reached_is_left_alone_for_seconds(webdav: Served, tmp_path: Path) -> None:
    port = free_port()
    values = {"type": "webdav", "vendor": "rclone", "url": f"http://127.0.0.1:{port}", "user": "lab"}
    options = {"config": str(write_config(tmp_path / "rclone.conf", {"dav": {**values, "pass": obscured(CANARY)}}))}
    left_alone(RcloneStore("rclone://dav", options=options, patience=RclonePatience(away_s=AWAY_S)), port, webdav.port)
    running(where("rclone://dav", options).manner).end()


def left_alone(store: Store, port: int, server: int | None) -> None:
    """Nobody listens at the port at first."""
    with pytest.raises(StoreGone, match="cannot be reached"):
        store.stat("a")
    link = Brittle(port)
    link.lead_to(server or 0)
    try:
        with pytest.raises(StoreGone, match="cannot be reached"):
            store.stat("b")
        assert link.moments == 0, "the server was asked"
        time.sleep(AWAY_S)
        with pytest.raises(NotFound):
            store.stat("c")
        assert link.moments > 0
    finally:
        store.close()
        link.close()
