"""Which remotes do the tests talk to, and which servers stand behind them?"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldchain.stores.rclone.daemon import running
from coldchain.stores.rclone.where import where
from tests.ports import free_port
from tests.stores.rclone.fake_box import TOKEN, FakeBox
from tests.stores.rclone.serving import CANARY, Remotes, answers, me, obscured, program, served, write_config
from tests.stores.s3.serving import identity, seaweed, swept


@pytest.fixture(autouse=True, scope="session")
def no_settings() -> Iterator[None]:
    """Nothing of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("RCLONE_", "AWS_"))]:
            patch.delenv(name)
        path = os.pathsep.join([str(Path(program("rclone")).parent), os.environ["PATH"]])
        patch.setenv("PATH", path)
        yield


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Debian's sshd: its port, and the folder with keys."""
    folder, port = tmp_path_factory.mktemp("sshd"), free_port()
    for key in ("host", "id"):
        subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    (folder / "authorized_keys").write_bytes((folder / "id.pub").read_bytes())
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host.pub').read_text()}")
    Path("/run/sshd").mkdir(exist_ok=True)
    lines = [f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", f"PidFile {folder}/pid"]
    lines += [f"AuthorizedKeysFile {folder}/authorized_keys", "PasswordAuthentication no", "UsePAM no"]
    lines += ["StrictModes no", "MaxSessions 50", "MaxStartups 100", "Subsystem sftp internal-sftp"]
    (folder / "config").write_text("\n".join(lines) + "\n")
    with served([program("sshd"), "-D", "-e", "-f", str(folder / "config")], answers(port), folder):
        yield port, folder


@pytest.fixture(scope="session")
def smbd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Debian's samba, with one share for one user."""
    folder, port = tmp_path_factory.mktemp("smbd"), free_port()
    share = folder / "share"
    share.mkdir()
    lines = ["[global]", "server role = standalone server", "interfaces = 127.0.0.1/8", "bind interfaces only = yes"]
    lines += [
        f"smb ports = {port}",
        "disable netbios = yes",
        "server min protocol = SMB2_10",
        "passdb backend = tdbsam",
    ]
    for name in ("private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"):
        place = folder / name.replace(" ", "-")
        place.mkdir()
        lines.append(f"{name} = {place}")
    lines += [f"log file = {folder}/smbd.log", "load printers = no", "disable spoolss = yes", "map to guest = never"]
    lines += ["panic action =", "[data]", f"path = {share}", "read only = no", f"force user = {me()}"]
    (folder / "smb.conf").write_text("\n".join(lines) + "\n")
    configured = f"--configfile={folder}/smb.conf"
    command = [program("smbpasswd"), "-c", str(folder / "smb.conf"), "-a", "-s", me()]
    subprocess.run(command, input=f"{CANARY}\n{CANARY}\n", text=True, check=True, capture_output=True)
    command = [program("smbd"), "--foreground", "--no-process-group", configured, "--debug-stdout"]
    with served(command, answers(port), folder):
        yield port


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """SeaweedFS, as a server of buckets."""
    folder = tmp_path_factory.mktemp("weed")
    command, port = seaweed(folder, identity("cold", "cold", CANARY))
    with served(command, answers(port), folder):
        time.sleep(1)  # it listens before it can keep anything
        yield port
    swept(port)


@pytest.fixture(scope="session")
def webdav(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """rclone's own server of WebDAV."""
    folder, port = tmp_path_factory.mktemp("webdav"), free_port()
    (folder / "share").mkdir()
    command = [program("rclone"), "serve", "webdav", "--addr", f"127.0.0.1:{port}", str(folder / "share")]
    with served(command, answers(port), folder, RCLONE_USER="cold", RCLONE_PASS=CANARY):
        yield port


@pytest.fixture(scope="session")
def remotes(
    tmp_path_factory: pytest.TempPathFactory, sshd: tuple[int, Path], smbd: int, weed: int, webdav: int
) -> Iterator[Remotes]:
    """One remote of each type, in one configuration; rclone runs as long as the tests."""
    folder = tmp_path_factory.mktemp("remotes")
    for name in ("plain", "secret", "by-ssh"):
        (folder / name).mkdir()
    port, keys = sshd
    ssh = {"host": "127.0.0.1", "port": str(port), "user": me(), "key_file": str(keys / "id")}
    s3 = {"provider": "SeaweedFS", "access_key_id": "cold", "secret_access_key": CANARY, "region": "us-east-1"}
    values = {
        "alias": {"type": "alias", "remote": str(folder / "plain")},
        "crypt": {"type": "crypt", "remote": str(folder / "secret"), "password": obscured(CANARY)},
        "memory": {"type": "memory"},
        "local": {"type": "local"},
        "followed": {"type": "local", "copy_links": "true"},
        "by-ssh": {"type": "alias", "remote": f"sftp:{folder / 'by-ssh'}"},
        "crypt-by-ssh": {
            "type": "crypt",
            "remote": "by-ssh:c",
            "filename_encryption": "off",
            "directory_name_encryption": "false",
            "suffix": "none",
            "password": obscured(CANARY),
        },
        "sftp": {"type": "sftp", **ssh, "known_hosts_file": str(keys / "known_hosts")},
        "smb": {"type": "smb", "host": "127.0.0.1", "port": str(smbd), "user": me(), "pass": obscured(CANARY)},
        "s3": {"type": "s3", **s3, "endpoint": f"http://127.0.0.1:{weed}"},
        "webdav": {
            "type": "webdav",
            "vendor": "rclone",
            "url": f"http://127.0.0.1:{webdav}",
            "user": "cold",
            "pass": obscured(CANARY),
            "pacer_min_sleep": "100us",  # instead of 10 ms between two requests, to spare servers of others
        },
    }
    config = write_config(folder / "rclone.conf", values)
    (folder / "base").write_text(str(folder / "by-ssh"))
    daemon = running(where("rclone://alias", {"config": str(config)}).manner)
    yield Remotes(config)
    daemon.end()


@pytest.fixture(scope="session")
def box_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeBox]:
    """A fake of Box."""
    folder = tmp_path_factory.mktemp("box")
    names = "subjectAltName=DNS:api.box.com,DNS:upload.box.com"
    command = [program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(folder / "k.pem")]
    command += ["-out", str(folder / "c.pem"), "-days", "2", "-subj", "/CN=box-fake", "-addext", names]
    subprocess.run(command, check=True, capture_output=True)
    server = FakeBox(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def box(box_server: FakeBox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remotes]:
    """rclone's own box backend, which talks to the fake."""
    folder = tmp_path_factory.mktemp("box-remote")
    config = write_config(folder / "rclone.conf", {"box": {"type": "box", "access_token": TOKEN}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HTTPS_PROXY", box_server.url)
        patch.setenv("RCLONE_CA_CERT", str(next(tmp_path_factory.getbasetemp().glob("box[0-9]*/c.pem"))))
        patch.setenv("RCLONE_LOW_LEVEL_RETRIES", "3")
        daemon = running(where("rclone://box", {"config": str(config)}).manner)
    yield Remotes(config)
    daemon.end()
