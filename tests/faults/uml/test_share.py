"""Row 42 and 82 on a share that a kernel mounts: it takes 30 MB into 24 MB, and only flushing tells."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults.uml.machine import DISK, Machine, make_disk, needs_machine
from tests.faults.uml.test_devices import JOB, SPEAK, files, stored

pytestmark = [needs_machine, pytest.mark.faults]

SMBD = """\
[global]
  server role = standalone server
  map to guest = Bad User
  log file = /run/samba/log
  disable netbios = yes
  smb ports = 445
  bind interfaces only = yes
  interfaces = lo
  load printers = no
  printcap name = /dev/null
%s
[data]
  path = /run/other
  guest ok = yes
  force user = root
  read only = no
"""
_FOLDERS = ("lock", "state", "cache", "private", "pid", "ncalrpc")
_SHARE = """
serve() {{
    /usr/sbin/smbd --foreground --no-process-group --log-basename=/run/samba \\
        --configfile=/run/smb.conf >/run/samba/out 2>&1 &
}}
mkdir -p /run/samba {folders}
cp {config} /run/smb.conf
serve
smbd=$!
load cifs md4 md5 hmac cmac sha256_generic sha512_generic aes_generic ecb ccm gcm ctr ghash-generic arc4 des_generic
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    mount.cifs //127.0.0.1/data {disk} -o guest,vers=3.0 2>/run/mount.said && break; sleep 0.3
done
grep cifs /proc/mounts || {{ echo WRONG; cat /run/mount.said /run/samba/out; }}
"""


def share(tmp_path: Path) -> str:
    folders = [f"/run/samba/{name}" for name in _FOLDERS]
    names = ("lock directory", "state directory", "cache directory", "private dir", "pid directory", "ncalrpc dir")
    config = tmp_path / "smb.conf"
    config.write_text(SMBD % "\n".join(f"  {name} = {folder}" for name, folder in zip(names, folders, strict=True)))
    return _SHARE.format(folders=" ".join(folders), config=config, disk=DISK)


def test_row42_a_full_share_that_a_kernel_mounted_is_told_and_nothing_half_is_left(tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / "source" / f"f{number:02}").parent.mkdir(exist_ok=True)
        (tmp_path / "source" / f"f{number:02}").write_bytes(bytes([number]) * (1 << 20))
    script = f"""
    mount -t tmpfs -o size=24m share /run/other
    {share(tmp_path)}
    mkdir {DISK}/stored; cp {tmp_path}/source/f0* /run/source; go well
    cp {tmp_path}/source/* /run/source; go full
    sync; for file in /run/other/stored/f*; do cmp $file /run/source/${{file##*/}} >/dev/null || echo HALF $file; done
    ls -a /run/other/stored | sed 's/^/STANDS /'
    mount -o remount,size=64m /run/other; go after
    for file in /run/source/*; do cmp $file /run/other/stored/${{file##*/}} || echo MISSING $file; done
    umount {DISK}; kill $smbd
    """
    text = live(tmp_path, script)
    assert "EXIT well 0" in text, text
    assert "EXIT full 3" in text, text
    assert "HALF" not in text, text
    assert "EXIT after 0" in text, text
    assert "MISSING" not in text, text
    assert not re.findall(r"STANDS \S*coldchain\S+", text.replace("STANDS .coldchain\n", "")), text


def test_row81_a_share_whose_server_is_killed_is_told_and_the_next_run_finishes(tmp_path: Path) -> None:
    disk = make_disk(tmp_path / "share.img", "ext4", 64)
    expected = files(tmp_path / "first", 6) | files(tmp_path / "second", 30, begin=6)
    script = f"""
    mount -t ext4 /dev/ubda /run/other
    {share(tmp_path).replace("guest,", "guest,soft,echo_interval=1,")}
    mkdir {DISK}/stored; cp -r {tmp_path}/first/. /run/source; go well
    cp -r {tmp_path}/second/. /run/source
    (sleep 1; pkill -9 smbd) & go killed; sleep 1; rm -rf /run/samba/lock/* /run/samba/pid/*
    serve
    umount -l {DISK}
    for try in 1 2 3 4 5 6 7 8 9; do
        mount.cifs //127.0.0.1/data {DISK} -o guest,vers=3.0 && break; sleep 1
    done
    grep cifs /proc/mounts || {{ echo WRONG; cat /run/samba/out; }}
    go after; umount {DISK}; pkill -9 smbd; sleep 0.5; umount /run/other
    """
    text = live(tmp_path, script, disk)
    assert "EXIT well 0" in text, text
    assert re.search("EXIT killed [03]", text), text
    assert "EXIT after 0" in text, text
    assert stored(disk, tmp_path) == expected


def live(tmp_path: Path, script: str, disk: Path | None = None) -> str:
    config = tmp_path / "coldchain.toml"
    config.write_text(JOB % DISK)
    prepare = f"{SPEAK}\nmkdir -p /run/source /run/state\ncp {config} /run/coldchain.toml\n"
    with Machine(tmp_path / "uml", prepare + script, {"ubda": disk} if disk else {}) as machine:
        text = "\n".join(machine.finish())
    assert "NO-MODULE" not in text, text
    assert "WRONG" not in text, text
    assert "Traceback" not in text, text
    return text
