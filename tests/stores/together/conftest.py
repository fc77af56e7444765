"""Servers of several kinds, side by side."""

from __future__ import annotations

from tests.stores.fsspec.conftest import webdav
from tests.stores.s3.conftest import weed
from tests.stores.sftp.conftest import sshd
from tests.stores.smb.conftest import samba

__all__ = ["samba", "sshd", "webdav", "weed"]
