"""How fast does coldchain fill a folder behind sshd, or a share of Samba, beside rclone?

``python -m benchmarks.shares``.  Both servers run on this very machine and on its disk, so their work is part of
everybody's time; that of the program alone is its CPU time.  Must be run by root, for Samba's sake.  rclone neither
flushes nor reads back: over SFTP it lets the server run md5sum, over SMB it looks at the size.
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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks import results, trees
from benchmarks.measuring import CommandFailed, Sample, print_line, settle_disk, timed
from benchmarks.tools import COLDCHAIN, where
from benchmarks.trees import Tree

_PASSWORD = "bench-1234"  # not secret: of a server that lives as long as the benchmark
TREES = {"large": Tree(1, 1, 512 << 20), "small": Tree(4, 2_000, 16 << 10)}
_SMB_CONF = """[global]
  workgroup = LAB
  interfaces = 127.0.0.1/8
  bind interfaces only = yes
  smb ports = {port}
  disable netbios = yes
  private dir = {folder}
  lock directory = {folder}
  state directory = {folder}
  cache directory = {folder}
  pid directory = {folder}
  ncalrpc dir = {folder}/n
  passdb backend = tdbsam
  log file = {folder}/log
  load printers = no
  disable spoolss = yes
[data]
  path = {share}
  read only = no
  force user = root
"""


class Server(NamedTuple):
    """Where one of them is found, and with what it lets somebody in."""

    port: int
    folder: Path
    """Of its own: keys, logs."""
    share: Path
    """What it serves."""


class Errand(NamedTuple):
    """One program's way from a folder to a folder on a server."""

    source: Path
    folder: Path
    server: Server
    name: str
    """Of the folder on the server."""


Prepare = Callable[[Errand], list[str]]


def _coldchain(kind: str, verify: str, *more: str) -> Prepare:
    def prepare(errand: Errand) -> list[str]:
        server = errand.server
        if kind == "sftp":
            url = f"sftp://root@127.0.0.1:{server.port}{server.share}/{errand.name}"
            options = [f'known_hosts = "{server.folder}/known_hosts"', f'key = "{server.folder}/id"']
        else:
            url, options = f"smb://root@127.0.0.1:{server.port}/data/{errand.name}", ['credentials = "env:BENCH"']
        config = errand.folder / "coldchain.toml"
        lines = [
            "version = 1",
            "[jobs.bench]",
            f"source = {json.dumps(str(errand.source))}",
            'destinations = ["there"]',
        ]
        lines += ['settle = "0 s"', f'verify = "{verify}"', 'digest = "sha256"', "[destinations.there]"]
        config.write_text("\n".join([*lines, f'url = "{url}"', *options, *more]) + "\n")
        init = [*COLDCHAIN, "init", "--config", str(config)]
        done = subprocess.run(init, capture_output=True, text=True, check=False, env={**os.environ, **_rights()})
        if done.returncode:
            raise CommandFailed(done.stdout + done.stderr)
        return [*COLDCHAIN, "run", "--config", str(config)]

    return prepare


def _rclone(kind: str, *more: str) -> Prepare:
    def prepare(errand: Errand) -> list[str]:
        server = errand.server
        nothing = errand.folder / "rclone.conf"
        nothing.touch()
        if kind == "sftp":
            keys = f"key_file={server.folder}/id,known_hosts_file={server.folder}/known_hosts"
            there = f":sftp,host=127.0.0.1,port={server.port},user=root,{keys}:{server.share}/{errand.name}"
        else:
            there = f":smb,host=127.0.0.1,port={server.port},user=root:data/{errand.name}"
        return [where("rclone") or "", "copy", "--config", str(nothing), *more, str(errand.source), there]

    return prepare


_MANY = ("--transfers", "16", "--checkers", "16")
TOOLS: dict[str, dict[str, Prepare]] = {
    "sftp": {
        "coldchain": _coldchain("sftp", "size"),
        "coldchain readback": _coldchain("sftp", "readback"),
        "rclone copy": _rclone("sftp"),
        "rclone copy, no md5sum": _rclone("sftp", "--ignore-checksum"),
        "rclone copy, no md5sum, 16 at once": _rclone("sftp", "--ignore-checksum", *_MANY),
    },
    "smb": {
        "coldchain": _coldchain("smb", "size"),
        "coldchain signed": _coldchain("smb", "size", 'encrypt = "no"'),
        "coldchain readback": _coldchain("smb", "readback"),
        "rclone copy": _rclone("smb"),
        "rclone copy, 16 at once": _rclone("smb", *_MANY),
    },
}


def main() -> int:
    """Measure what was asked for, and print it."""
    wanted = _arguments()
    folder: Path = wanted.folder.resolve()
    samples: dict[str, dict[str, list[Sample]]] = {}
    for kind in wanted.server or TOOLS:
        with _SERVERS[kind](folder / kind) as server:
            for name in wanted.only or TREES:
                tree = _part(TREES[name], wanted.part)
                print_line(
                    f"\n{kind} {name}: {tree.files:,} x {tree.size_bytes:,} bytes, load {os.getloadavg()[0]:.1f}"
                )
                source = trees.make(folder / "sources", tree)
                trees.warm(source)
                tools = {tool: how for tool, how in TOOLS[kind].items() if tool not in wanted.without}
                samples[f"{kind}, {name}"] = _rounds(tools, source, tree, server, wanted.rounds)
    for line in results.table(results.sum_up(samples, {})):
        print_line(line)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _part(tree: Tree, part: int) -> Tree:
    if tree.files >= part:
        return tree._replace(files=tree.files // part // tree.folders * tree.folders)
    return tree._replace(size_bytes=tree.size_bytes // part)


def _rounds(
    tools: dict[str, Prepare], source: Path, tree: Tree, server: Server, rounds: int
) -> dict[str, list[Sample]]:
    """Interleaved, so that what else the machine does hits all alike."""
    found: dict[str, list[Sample]] = {tool: [] for tool in tools}
    for number in range(rounds):
        for place, (tool, prepare) in enumerate(tools.items()):
            if len(found[tool]) == number and (tool.startswith("coldchain") or where("rclone")):
                errand = Errand(source, server.folder / f"{number}-{place}", server, f"r{number}-{place}")
                with contextlib.suppress(CommandFailed):
                    found[tool].append(_measured(errand, tree, tool, prepare))
    return found


def _measured(errand: Errand, tree: Tree, tool: str, prepare: Prepare) -> Sample:
    there = errand.server.share / errand.name
    there.mkdir()
    errand.folder.mkdir(parents=True)
    try:
        command = prepare(errand)
        settle_disk()
        sample = timed(command, errand.folder / "log", _rights())
        if (left := trees.count(there)) != (tree.files, tree.total):
            raise CommandFailed(f"left {left}")
    except CommandFailed as error:
        print_line(f"  {tool:<24} failed: {str(error)[-800:]}")
        raise
    finally:
        shutil.rmtree(there)
        shutil.rmtree(errand.folder)
    print_line(f"  {tool:<24} {sample.wall_s:7.2f} s  {sample.user_s + sample.system_s:6.2f} s of CPU")
    return sample


def _rights() -> dict[str, str]:
    hidden = subprocess.run(
        [where("rclone") or "true", "obscure", "-"], input=_PASSWORD, capture_output=True, text=True, check=False
    )
    return {"BENCH_PASSWORD": _PASSWORD, "BENCH_USER": "root", "RCLONE_SMB_PASS": hidden.stdout.strip()}


@contextlib.contextmanager
def _sshd(folder: Path) -> Iterator[Server]:
    server = _prepared(folder)
    for name in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "id.pub", folder / "authorized_keys")
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {(folder / 'host.pub').read_text()}")
    Path("/run/sshd").mkdir(exist_ok=True)
    options = [f"HostKey={folder}/host", f"AuthorizedKeysFile={folder}/authorized_keys", "MaxStartups=100"]
    options += ["StrictModes=no", "PermitRootLogin=yes", "UsePAM=no", "Subsystem=sftp internal-sftp", "PidFile=none"]
    command = [
        shutil.which("sshd", path="/usr/sbin:/usr/bin") or "sshd",
        "-D",
        "-f",
        "/dev/null",
        "-p",
        f"{server.port}",
    ]
    with _running(
        [*command, "-o", "ListenAddress=127.0.0.1", *(word for one in options for word in ("-o", one))], server
    ):
        yield server


@contextlib.contextmanager
def _smbd(folder: Path) -> Iterator[Server]:
    server = _prepared(folder)
    config = folder / "smb.conf"
    config.write_text(_SMB_CONF.format(port=server.port, folder=folder, share=server.share))
    subprocess.run(
        ["smbpasswd", "-c", str(config), "-a", "-s", "root"],
        input=f"{_PASSWORD}\n{_PASSWORD}\n".encode(),
        check=True,
        capture_output=True,
    )
    with _running(["/usr/sbin/smbd", "--foreground", "--no-process-group", f"--configfile={config}"], server):
        yield server


_SERVERS = {"sftp": _sshd, "smb": _smbd}


def _prepared(folder: Path) -> Server:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "share").mkdir(parents=True)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return Server(one.getsockname()[1], folder, folder / "share")


@contextlib.contextmanager
def _running(command: list[str], server: Server) -> Iterator[None]:
    with (server.folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), 1):
                break
            time.sleep(0.05)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shares", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each program is measured (3)")
    parser.add_argument("--server", action="append", choices=list(TOOLS), help="only this one; may be repeated")
    parser.add_argument("--only", action="append", choices=list(TREES), help="only these files; may be repeated")
    parser.add_argument("--without", action="append", default=[], help="not this program; may be repeated")
    parser.add_argument("--part", type=int, default=1, help="only such a part of the files: 8 is an eighth")
    parser.add_argument("--folder", type=Path, default=Path("build/bench-shares"), help="where to work; it is removed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
