"""Does the file system of a folder tell of every change, or only of those that this machine made?"""

from __future__ import annotations

import os

_REMOTE = {
    *("9p", "acfs", "afpfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "drvfs", "glusterfs", "lustre"),
    *("ncpfs", "nfs", "nfs4", "prl_fs", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs", "webdav"),
}
"""Linux' inotify(7), "Limitations and caveats": it "reports only events that a user-space program triggers through the
filesystem API.  As a result, it does not catch remote events that occur on network filesystems."  The same holds for
the folders that a machine shares with its virtual machines."""


def without_events(folder: str) -> str:
    """The kind of the file system when it is one of a network or in user space, else "".

    What a program in user space serves (FUSE) may be anything, so it counts as remote.
    """
    real = os.path.realpath(folder)
    if real.startswith("\\\\"):
        return "unc"
    import psutil

    best, kind = "", ""
    for part in psutil.disk_partitions(all=True):
        inside = os.path.normcase(real + os.sep).startswith(os.path.normcase(part.mountpoint.rstrip(os.sep) + os.sep))
        if inside and len(part.mountpoint) >= len(best):
            best, kind = part.mountpoint, "remote" if "remote" in part.opts.split(",") else part.fstype
    lower = kind.lower()
    return lower if lower in _REMOTE or lower == "remote" or lower.startswith(("fuse", "macfuse", "osxfuse")) else ""
