"""How is a server of buckets started for tests?

SeaweedFS checks signatures, checksums and conditions as Amazon does; moto keeps every key, and lists in Amazon's order.
"""

from __future__ import annotations

import contextlib
import os
import socket
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from coldchain.stores.objects.patience import Patience
from coldchain.stores.s3.store import S3Store
from tests.stores.objects.serving import process

KEY, SECRET = "coldkey", "coldsecret1234"  # not secret: of a server that lives as long as the tests
READER, READER_SECRET = "rokey", "rosecret1234"
HASTY = Patience(tries=4, first_wait_s=0.02, longest_wait_s=0.1)


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


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses; SeaweedFS also takes each of them plus 10,000."""
    base = 20_000 + os.getpid() * 16 % 9_000  # workers of one test run have neighbouring numbers, and begin at once
    while True:
        ports = list(range(base, base + count))
        if all(_is_free(port) and _is_free(port + 10_000) for port in ports):
            return ports
        base += count


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


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


def identity(name: str, key: str, secret: str, actions: list[str]) -> Mapping[str, object]:
    """Somebody with rights, as SeaweedFS is told of them."""
    return {"name": name, "credentials": [{"accessKey": key, "secretKey": secret}], "actions": actions}
