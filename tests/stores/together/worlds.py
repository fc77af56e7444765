"""What does a test get that acts upon places of every kind, all reached over one link?"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from coldchain.stores.base import Store
from tests.faults.world import Ended, World
from tests.stores.azure.serving import Server as Azurite
from tests.stores.gcs.serving import Server as Gcs
from tests.stores.s3.serving import Server as Weed
from tests.stores.sftp.remote import Remote
from tests.stores.together.brittle import Brittle

KINDS = ("sftp", "smb", "webdav", "rclone", "s3", "gs", "az")
"""Each has a fixture, ``over_sftp`` and so on, which is a ``New``."""
Buckets = Azurite | Gcs | Weed
New = Callable[[str], World]
"""A world with a place of its own, which is reached over the link."""


class Objects(Remote):
    """The oracle looks at a picture of the place, which is fetched around the link."""

    def __init__(self, folder: Path, url: str, options: Mapping[str, Any], direct: Store) -> None:
        self.direct = direct
        super().__init__(folder, folder / "picture", url, options)

    def judge(self, ended: Ended, **more: Any) -> None:
        """What a run leaves for the next one to sweep up is counted as well."""
        shutil.rmtree(self.nas, ignore_errors=True)
        for entry in self.direct.list():
            file = self.nas / entry.path
            file.parent.mkdir(parents=True, exist_ok=True)
            with self.direct.read(entry.path) as reader:
                file.write_bytes(b"".join(map(bytes, reader.chunks())))
        super().judge(ended, **more)


def objects(server: Buckets, link: Brittle, scheme: str, folder: Path) -> Iterator[New]:
    """Each world has a folder of one bucket, for buckets are made and removed slowly."""
    link.lead_to(int(urlsplit(server.endpoint).port or 0))
    bucket = server.bucket()

    def new(name: str) -> World:
        told = {key: True if value == "true" else value for key, value in server.options().items()}
        told["endpoint"] = re.sub(r":\d+", f":{link.port}", server.endpoint, count=1)
        return Objects(folder / name, f"{scheme}://{bucket}/{name}", told, server.store(bucket, name))

    yield new
    server.remove(bucket)
