"""How does a file get a name that nobody else has, where the system has no rename that refuses a taken one?

macOS has none that Python offers, and many file systems of Linux in user space have none either.
"""

from __future__ import annotations

import errno
import os


def rename_by_link(old_folder: int, old: str, new_folder: int, new: str) -> None:
    """Rename by a hard link, which never replaces anything; raises FileExistsError when something stands there.

    Where there are no links either (FAT), the name is looked up first, which leaves a gap of microseconds to programs
    other than coldchain.  The folders are descriptors.
    """
    try:
        os.link(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:
        if _stands(new_folder, new):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None
        os.rename(old, new, src_dir_fd=old_folder, dst_dir_fd=new_folder)
    else:
        os.unlink(old, dir_fd=old_folder)


def _stands(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
