"""On which volume does a folder lie, in words that another disk under the same path would not share?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_BY_UUID = Path("/dev/disk/by-uuid")
_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = frozenset({"cifs", "smb3", "nfs", "nfs4", "9p", "davfs", "glusterfs", "ceph"})


def volume_of(path: str) -> str:
    """Name the volume: ``uuid:...``, ``<type>:<server:/export>``, ``serial:...`` on Windows, else ``fsid:...``.

    A file system's UUID is read from /dev/disk/by-uuid; a share is named by what was mounted; elsewhere statvfs's
    f_fsid has to do, which on XFS without /dev/disk is the device number and may change when disks are re-plugged.
    """
    status = os.stat(path)
    if sys.platform == "win32":
        return f"serial:{status.st_dev:x}"
    if sys.platform == "linux" and (uuid := uuid_among(_BY_UUID, status.st_dev)):
        return f"uuid:{uuid}"
    if share := _share(status.st_dev):
        return share
    return f"fsid:{os.statvfs(path).f_fsid:x}"


def uuid_among(folder: Path, device: int) -> str:
    """The UUID of the file system on a block device, where its links are in a folder like /dev/disk/by-uuid."""
    try:
        links = list(folder.iterdir())
    except OSError:
        return ""
    for link in links:
        try:
            if link.stat().st_rdev == device:
                return link.name
        except OSError:
            continue
    return ""


def _share(device: int) -> str:
    if sys.platform != "linux":
        return ""
    try:
        mounts = _MOUNTS.read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return ""
    return share_among(mounts, f"{os.major(device)}:{os.minor(device)}")


def share_among(mounts: str, device: str) -> str:
    """What was mounted as this device, when it is a share or in user space, in the text of /proc/self/mountinfo.

    Source: proc_pid_mountinfo(5).  The kernel escapes blanks and line feeds in names, and nothing else: whoever may
    mount something in user space can put any other character there, also those that ``splitlines`` cuts at.
    """
    for line in mounts.split("\n"):
        before, dash, after = line.partition(" - ")
        fields, (kind, _, rest) = before.split(" "), after.partition(" ")
        if not dash or len(fields) < 3 or fields[2] != device:
            continue
        if kind in _NETWORK or kind.startswith("fuse"):  # f_fsid is 0 on all of FUSE
            return f"{kind}:{rest.partition(' ')[0]}"
    return ""
