"""What do the fault tests of buckets act upon: a job by its configuration, a link that can be spoilt, an oracle."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.world import HOST, Ended, World, sha256
from tests.stores.s3.proxy import Proxy
from tests.stores.s3.serving import Server

FOLDER = "data/"
SMALL, LARGE = "run/f0002.tif", "run/large.bin"
PART = rf"/{LARGE}\?.*partNumber="
"""A part of the large file goes up."""
COMPLETE = rf"/{LARGE}\?uploadId="
"""The parts of the large file are put together."""
LIST = r"^(?!.*max-keys=1(&|$)).*list-type=2"
"""A listing; not the look whether the bucket is there."""
NEXT_PAGE = r"^(?=.*continuation-token=).*list-type=2"
_PASSING = (".coldchain/uploads/", ".coldchain/probe-")


class BucketWorld(World):
    """A world whose destination ``nas`` is a folder of a bucket, written to through a proxy.

    The oracle judges a picture of the bucket, which is fetched without the proxy and without coldchain.
    """

    def __init__(
        self, folder: Path, server: Server, proxy: Proxy, bucket: str, *, job: str = "", host: str = HOST
    ) -> None:
        self.server, self.proxy, self.bucket = server, proxy, bucket
        self.options: dict[str, str] = {}
        super().__init__(folder, job=job, host=host, at={"nas": folder / "picture"})

    def configure(self, job: str = "", **destination: str) -> None:
        """Write coldchain.toml."""
        told = {"endpoint": self.proxy.endpoint, "region": "us-east-1", **self.options}
        lines = ["version = 1", "[jobs.j]", f"source = '{self.source}'", f"destinations = {list(self.at)}"]
        lines += ['settle = "0 s"', 'datasets = "whole"', job]
        for name in self.at:
            lines += [f"[destinations.{name}]", destination.get(name, f"url = 's3://{self.bucket}/data'")]
            lines += [f"{key} = '{value}'" for key, value in told.items() if name not in destination]
        self.file = self.folder / "coldchain.toml"
        self.file.write_text("\n".join(lines))

    def acquire(self, *, large_bytes: int = 9 << 20) -> None:
        """Five small files, and one that is sent in parts."""
        for number in range(5):
            self.write(f"run/f{number:04}.tif", os.urandom(1500 + number))
        if large_bytes:
            self.write(LARGE, os.urandom(large_bytes))

    def put(self, destination: str, key: str, content: bytes) -> Path:
        """Another person's object."""
        self.server.client.put_object(Bucket=self.bucket, Key=FOLDER + key, Body=content)
        self.strangers[destination][key] = sha256(content)
        return self.at[destination] / key

    def contents(self) -> dict[str, bytes]:
        """Every object of the folder."""
        get = self.server.client.get_object
        keys = [key for key in self.server.keys(self.bucket) if key.startswith(FOLDER)]
        return {key.removeprefix(FOLDER): get(Bucket=self.bucket, Key=key)["Body"].read() for key in keys}

    def versions(self) -> dict[str, tuple[str, str]]:
        """Which act of writing made each object of data: what is overwritten, even by equal bytes, shows here."""
        head = self.server.client.head_object
        keys = [key for key in self.server.keys(self.bucket) if "/.coldchain/" not in key]
        found = {key: head(Bucket=self.bucket, Key=key) for key in keys}
        return {k: (str(v["LastModified"]), v["Metadata"].get("coldchain-write", "")) for k, v in found.items()}

    def judge(self, ended: Ended, *, at_rest: bool = True, lost: object = None, tidy: bool = False) -> None:
        """Ask the oracle; until the fault is over, what the next run sweeps up may lie about."""
        self._draw(tidy=tidy)
        assert lost is None
        super().judge(ended, at_rest=at_rest, lost={})

    def _draw(self, *, tidy: bool) -> None:
        picture = self.at["nas"]
        shutil.rmtree(picture, ignore_errors=True)
        for key, content in self.contents().items():
            if tidy or not key.startswith(_PASSING):
                file = picture / key
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)

    def converge(self, uploads: Collection[str] = ()) -> Ended:
        """Without the fault, the next run ends with everything verified and nothing lying about."""
        self.proxy.heal()
        ended = self.run()
        assert ended.code == 0, ended.said
        self.judge(ended, tidy=True)
        self.verify_manifests()
        assert sorted(self.server.uploads(self.bucket)) == sorted(uploads)
        sources = {path: (self.source / path).read_bytes() for path in self.history}
        data = {key: content for key, content in self.contents().items() if not key.startswith(".coldchain/")}
        mine = {key: content for key, content in data.items() if key not in self.strangers["nas"]}
        assert mine == sources
        return ended

    def reason(self, ended: Ended, path: str = SMALL) -> str:
        """Why a file is not verified, "" if it is."""
        found = ended.troubles.get((path, "nas"))
        return found[1] if found else ""


def later(case: object) -> Any:
    """A case that shows nearly the same as the one beside it, or takes minutes: it is of the second tier."""
    return pytest.param(case, marks=pytest.mark.faults)


def guest(world: BucketWorld, host: str) -> BucketWorld:
    """Another host with a source, a state and a ledger of its own, that writes to the same folder."""
    folder = world.folder / host
    folder.mkdir()
    return BucketWorld(folder, world.server, world.proxy, world.bucket, host=host)


def bucket_worlds(folder: Path, server: Server, proxy: Proxy) -> Iterator[BucketWorld]:
    """A world with files, in a bucket that is removed at the end."""
    bucket = server.bucket()
    world = BucketWorld(folder, server, proxy, bucket)
    world.acquire()
    yield world
    server.remove(bucket)
