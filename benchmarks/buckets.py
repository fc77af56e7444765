"""How fast does coldchain fill a bucket, beside other programs?  ``python -m benchmarks.buckets``.

SeaweedFS serves the bucket on this very machine, so its work is part of everybody's time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import results, trees
from benchmarks.measuring import CommandFailed, Sample, compile_ahead, print_line, timed
from benchmarks.tools import COLDCHAIN, where
from benchmarks.trees import Tree

_KEY, _SECRET = "coldkey", "coldsecret1234"  # not secret: of a server that lives as long as the benchmark
_RIGHTS = {"AWS_ACCESS_KEY_ID": _KEY, "AWS_SECRET_ACCESS_KEY": _SECRET, "AWS_REGION": "us-east-1"}
TREES = {
    "s3-large": Tree(1, 1, 2 << 30),
    "s3-medium": Tree(2, 2_000, 1 << 20),
    "s3-small": Tree(20, 20_000, 4 << 10),
}


class Errand(NamedTuple):
    """One program's way from a folder into a bucket of its own."""

    source: Path
    folder: Path
    endpoint: str
    bucket: str


def _coldchain(verify: str) -> Callable[[Errand], list[str]]:
    def prepare(errand: Errand) -> list[str]:
        config = errand.folder / "coldchain.toml"
        config.write_text(
            f"""version = 1
[jobs.bench]
source = {json.dumps(str(errand.source))}
destinations = ["there"]
settle = "0 s"
verify = "{verify}"
digest = "sha256"
[destinations.there]
url = "s3://{errand.bucket}/bench"
endpoint = "{errand.endpoint}"
region = "us-east-1"
"""
        )
        init = [*COLDCHAIN, "init", "--config", str(config)]
        done = subprocess.run(init, capture_output=True, text=True, check=False, env={**os.environ, **_RIGHTS})
        if done.returncode:
            raise CommandFailed(done.stdout + done.stderr)
        return [*COLDCHAIN, "run", "--config", str(config)]

    return prepare


def _rclone(errand: Errand) -> list[str]:
    nothing = errand.folder / "rclone.conf"
    nothing.touch()
    there = f":s3,provider=SeaweedFS,env_auth=true,endpoint='{errand.endpoint}':{errand.bucket}/bench"
    workers = ["--transfers", "16", "--checkers", "16", "--s3-no-check-bucket"]
    return [where("rclone") or "", "copy", "--config", str(nothing), *workers, str(errand.source), there]


def _s5cmd(errand: Errand) -> list[str]:
    return [
        *(where("s5cmd") or "", "--endpoint-url", errand.endpoint, "--log", "error"),
        *("cp", f"{errand.source}/", f"s3://{errand.bucket}/bench/"),
    ]


def _aws(errand: Errand) -> list[str]:
    return [
        *(where("aws") or "", "--endpoint-url", errand.endpoint, "s3", "sync", "--only-show-errors"),
        *(str(errand.source), f"s3://{errand.bucket}/bench/"),
    ]


def _ferry(verify: str) -> Callable[[Errand], list[str]]:
    def prepare(errand: Errand) -> list[str]:
        config = errand.folder / "ferry.yaml"
        config.write_text(
            f"""state_dir: {json.dumps(str(errand.folder / "state"))}
stores:
  there:
    url: s3://{errand.bucket}/
    endpoint: {errand.endpoint}
    region: us-east-1
    allow_http: true
    options: {{aws_access_key_id: {_KEY}, aws_secret_access_key: {_SECRET}}}
pipelines:
  - name: bench
    root: {json.dumps(str(errand.source))}
    prefix: bench
    destinations: [{{store: there, verify: {verify}}}]
    unit: {{dirs: "*"}}
    include: ["**/*"]
    mode: cron
    cron: "0 2 * * *"
    settle: 0s
    unit_idle: 0s
    finalize: {{action: keep}}
"""
        )
        return [where("ferry") or "", "--config", str(config), "run"]

    return prepare


TOOLS: dict[str, tuple[str, Callable[[Errand], list[str]]]] = {
    "coldchain": ("coldchain", _coldchain("checksum")),
    "coldchain readback": ("coldchain", _coldchain("readback")),
    "rclone copy": ("rclone", _rclone),
    "s5cmd cp": ("s5cmd", _s5cmd),
    "aws s3 sync": ("aws", _aws),
    "ferry run, size": ("ferry", _ferry("size")),
    "ferry run, sha256": ("ferry", _ferry("sha256")),
}


def main() -> int:
    """Measure what was asked for, and print it."""
    wanted = _arguments()
    folder: Path = wanted.folder.resolve()
    compile_ahead()
    samples: dict[str, dict[str, list[Sample]]] = {}
    with _served(folder / "weed") as (endpoint, client):
        for name in wanted.only or TREES:
            tree = TREES[name]
            part = tree._replace(files=tree.files // wanted.part) if tree.files >= wanted.part else tree
            part = part if part is not tree else tree._replace(size_bytes=tree.size_bytes // wanted.part)
            print_line(f"\n{name}: {part.files:,} x {part.size_bytes:,} bytes, load {os.getloadavg()[0]:.1f}")
            source = trees.make(folder / "sources", part)
            trees.warm(source)
            found: dict[str, list[Sample]] = {tool: [] for tool in TOOLS}
            samples[name] = found
            for number in range(wanted.rounds):
                for tool, (program, prepare) in TOOLS.items():
                    errand = Errand(source, folder / f"{name}-{number}-{len(tool)}", endpoint, f"b{time.time_ns()}")
                    if (program == "coldchain" or where(program)) and len(found[tool]) == number:
                        with contextlib.suppress(CommandFailed):
                            found[tool].append(_measured(errand, part, client, tool, prepare))
    for line in results.table(results.sum_up(samples, {})):
        print_line(line)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _measured(errand: Errand, tree: Tree, client: Any, tool: str, prepare: Callable[[Errand], list[str]]) -> Sample:
    client.create_bucket(Bucket=errand.bucket)
    errand.folder.mkdir(parents=True)
    os.sync()
    try:
        sample = timed(prepare(errand), errand.folder / "log", _RIGHTS)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=errand.bucket, Prefix="bench/folder")
        there = [item["Size"] for page in pages for item in page.get("Contents", ())]
        if (len(there), sum(there)) != (tree.files, tree.total):
            raise CommandFailed(f"left {len(there)} objects of {sum(there)} bytes")
    except CommandFailed as error:
        print_line(f"  {tool:<19} failed: {str(error)[-800:]}")
        raise
    finally:
        _remove(client, errand.bucket)
        shutil.rmtree(errand.folder)
    print_line(f"  {tool:<19} {sample.wall_s:7.2f} s  {sample.peak_bytes / 2**20:6.0f} MiB")
    return sample


def _remove(client: Any, bucket: str) -> None:
    """SeaweedFS takes several volumes for each bucket, and has only so many."""
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        if keys := [{"Key": item["Key"]} for item in page.get("Contents", ())]:
            client.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True})
    client.delete_bucket(Bucket=bucket)


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[tuple[str, Any]]:
    import boto3  # only where buckets are measured

    folder.mkdir(parents=True, exist_ok=True)
    rights = {"name": "cold", "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}]}
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    (folder / "s3.json").write_text(json.dumps({"identities": [{**rights, "actions": actions}]}))
    s3, master, volume, filer, admin = _ports(5)
    endpoint = f"http://127.0.0.1:{s3}"
    command = [
        *(where("weed") or "weed", "mini", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}"),
        *("-master.telemetry=false", f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}"),
        *(f"-filer.port={filer}", f"-admin.port={admin}", "-admin.ui=false", "-webdav=false", "-s3.port.iceberg=0"),
        *("-s3.port.lance=0", f"-s3.config={folder / 's3.json'}", "-s3.autoCreateBucket=false"),
    ]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            for _ in range(300):
                with contextlib.suppress(OSError), urllib.request.urlopen(f"{endpoint}/healthz", timeout=2):
                    break
                time.sleep(0.2)
            yield (
                endpoint,
                boto3.client(
                    "s3",
                    endpoint_url=endpoint,
                    region_name="us-east-1",
                    aws_access_key_id=_KEY,
                    aws_secret_access_key=_SECRET,
                ),
            )
        finally:
            server.kill()
            server.wait()


def _ports(count: int) -> list[int]:
    """Ports that nobody uses; SeaweedFS also takes each of them plus 10,000."""
    first = 15_000 + os.getpid() * 16 % 4_000
    for port in (*range(first, first + count), *range(first + 10_000, first + 10_000 + count)):
        with socket.socket() as one:
            one.bind(("127.0.0.1", port))
    return list(range(first, first + count))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.buckets", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each program is measured (3)")
    parser.add_argument("--only", action="append", choices=list(TREES), help="only these files; may be repeated")
    parser.add_argument("--part", type=int, default=1, help="only such a part of the files: 8 is an eighth")
    parser.add_argument("--quick", action="store_true", help="one round of a fortieth: does everything work?")
    parser.add_argument("--folder", type=Path, default=Path("build/bench-s3"), help="where to work; it is removed")
    wanted = parser.parse_args()
    if wanted.quick:
        wanted.rounds, wanted.part = 1, 40
    return wanted


if __name__ == "__main__":
    sys.exit(main())
